"""Merges the rejections of each row, and writes rejected rows to a file for correction."""

import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from indexer.feeds.delimited import REPORT_COLUMNS
from indexer.feeds.reader import read_records
from indexer.feeds.rows import Rejection

_Cells = Sequence[tuple[str, object]]
_Column = tuple[str, int]  # name, and index among the columns of that name


def by_row(rejections: Iterable[Rejection]) -> list[Rejection]:
    """Merges rejections to one per row, with all its reasons, in the order of the feed."""
    rows: dict[tuple[str, int, int | None, str | None], Rejection] = {}
    for each in rejections:
        key = (each.source, each.number, each.line, each.product_id)
        if (first := rows.get(key)) and first.reason != each.reason:
            causes = dict.fromkeys([_cause(first), _cause(each)])
            each = replace(first, reason=f"{first.reason}; {each.reason}", cause="; ".join(causes))
        rows[key] = each
    sources = list(dict.fromkeys(each.source for each in rows.values()))
    return sorted(rows.values(), key=lambda each: (sources.index(each.source), each.number))


def _cause(rejection: Rejection) -> str:
    return rejection.cause or rejection.reason


def write_rejected(file: Path, rejections: Sequence[Rejection]) -> None:
    """Writes a CSV file with the columns source, line and reason, and the columns of the feed.

    Reads the feed again, twice. `read_feed` accepts the file and ignores its first three columns.
    Values that a text cell cannot hold are written as JSON.
    """
    columns: dict[_Column, None] = {}
    for _, cells in _with_cells(rejections):
        columns |= dict.fromkeys(column for column, _ in _numbered(cells) if column[0])
    # surrogateescape writes undecodable bytes unchanged.
    with file.open("w", encoding="utf-8", errors="surrogateescape", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow([*REPORT_COLUMNS, *(name for name, _ in columns)])
        for rejection, cells in _with_cells(rejections):
            values = dict(_numbered(cells))
            unnamed = [_text(value) for (name, _), value in values.items() if not name]
            line = "" if rejection.line is None else rejection.line
            writer.writerow(
                [
                    *(_text(rejection.source), line, _text(rejection.reason)),
                    *(_text(values.get(column)) for column in columns),
                    *unnamed,
                ]
            )


def _with_cells(rejections: Sequence[Rejection]) -> Iterator[tuple[Rejection, _Cells]]:
    """Yields each rejection with the cells of its row; for a photo, only its id."""
    by_source: dict[str, list[Rejection]] = {}
    for each in rejections:
        by_source.setdefault(each.source, []).append(each)
    for source, of_source in by_source.items():
        numbers = {each.number: each for each in of_source if each.line is not None}
        if numbers:
            for number, record in enumerate(read_records(Path(source)), 1):
                if rejection := numbers.get(number):
                    yield rejection, record.cells
        for each in of_source:
            if each.line is None:
                yield each, [("id", each.product_id)]


def _numbered(cells: _Cells) -> Iterator[tuple[_Column, object]]:
    seen = Counter[str]()
    for name, value in cells:
        yield (name, seen[name]), value
        seen[name] += 1


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ",".join(value)  # the format of links
    if isinstance(value, bool | list | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    text = "" if value is None else str(value)
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # an unpaired surrogate, which JSON can contain
        return text.encode("utf-8", "replace").decode()
    return text

"""Merges the rejections of each row, and writes rejected rows to a file for correction."""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from indexer.errors import BadParameterError, ImageSearchError
from indexer.feeds.delimited import REPORT_COLUMNS
from indexer.feeds.locations import split_links
from indexer.feeds.merchant import MAIN_IMAGE, MORE_IMAGES, column_name
from indexer.feeds.reader import file_version, read_records
from indexer.feeds.rows import Rejection
from indexer.files import replacing, require_writable

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


class RejectedFile:
    """The file of `--rejected`: the rejected rows of feeds, to be corrected and added.

    Args:
        path: of the file.
        feeds: that will be read.

    Raises:
        BadParameterError: the file is one of the feeds, or cannot be written.
    """

    def __init__(self, path: Path, feeds: Iterable[Path]) -> None:
        self.path = path
        self._versions = {str(feed): file_version(feed) for feed in feeds if feed.is_file()}
        if path.exists() and any(path.samefile(feed) for feed in self._versions):
            raise BadParameterError(
                f"--rejected: {path} is the feed itself and would be overwritten; use another file"
            )
        try:
            require_writable(path)
        except OSError as error:
            raise BadParameterError(f"--rejected: cannot write {path}: {error.strerror}") from error

    def write(self, rejections: Sequence[Rejection]) -> None:
        """Writes a CSV file with the columns source, line and reason, and the columns of the feed.

        Reads the feeds again, twice. `read_feed` accepts the file and ignores its first three
        columns. Values that a text cell cannot hold are written as JSON; relative paths of photos
        are made absolute if the file is in another folder than its feed.

        Raises:
            ImageSearchError: the file cannot be written, or a feed has changed since it was read.
        """
        for source, version in self._versions.items():
            if not Path(source).is_file() or file_version(Path(source)) != version:
                raise ImageSearchError(
                    f"{self.path} was not written: {source} has changed since it was read;"
                    " everything else was done"
                )
        try:
            with replacing(self.path) as file:
                # surrogateescape writes undecodable bytes unchanged.
                text = io.TextIOWrapper(file, "utf-8", "surrogateescape", newline="")
                _write_rows(csv.writer(text), rejections, self.path.absolute().parent)
                text.flush()
                text.detach()
        except OSError as error:
            raise ImageSearchError(
                f"cannot write {self.path}: {error.strerror or error}; everything else was done"
            ) from error


def _write_rows(writer: Any, rejections: Sequence[Rejection], folder: Path) -> None:
    columns: dict[_Column, None] = {}
    for _, cells in _with_cells(rejections, folder):
        columns |= dict.fromkeys(column for column, _ in _numbered(cells) if column[0])
    writer.writerow([*REPORT_COLUMNS, *(name for name, _ in columns)])
    for rejection, cells in _with_cells(rejections, folder):
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


def _with_cells(
    rejections: Sequence[Rejection], folder: Path
) -> Iterator[tuple[Rejection, _Cells]]:
    """Yields each rejection with the cells of its row; for a photo, only its id."""
    by_source: dict[str, list[Rejection]] = {}
    for each in rejections:
        by_source.setdefault(each.source, []).append(each)
    for source, of_source in by_source.items():
        numbers = {each.number: each for each in of_source if each.line is not None}
        if numbers:
            base = Path(source).absolute().parent
            moved = base.resolve() != folder.resolve()
            for number, record in enumerate(read_records(Path(source)), 1):
                if rejection := numbers.get(number):
                    yield rejection, _anchored(record.cells, base) if moved else record.cells
        for each in of_source:
            if each.line is None:
                yield each, [("id", each.product_id)]


def _anchored(cells: _Cells, base: Path) -> _Cells:
    """Makes the relative paths of photos absolute."""
    return [(name, _absolute(column_name(name), value, base)) for name, value in cells]


def _absolute(column: str, value: object, base: Path) -> object:
    if column not in (MAIN_IMAGE, MORE_IMAGES):
        return value
    if isinstance(value, list):
        return [_absolute(MAIN_IMAGE, each, base) for each in value]
    if not isinstance(value, str) or not value.strip():
        return value
    if column == MORE_IMAGES:
        return ",".join(str(_absolute(MAIN_IMAGE, each, base)) for each in split_links(value))
    return value if "://" in value else str(base / value.strip())


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

"""CSV and TSV feeds.

Cells are text. A header `c:NAME:number` or `c:NAME:boolean` sets the type of the label NAME;
`indexer.feeds.writer` writes such headers.
"""

import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from indexer.errors import FeedError
from indexer.feeds.dialects import read_header
from indexer.feeds.lines import Lines, open_text
from indexer.feeds.merchant import MAIN_IMAGE, MORE_IMAGES, column_name
from indexer.feeds.rows import BadRecord, Record, RowError
from indexer.feeds.suspects import Suspects, looks_like_a_photo
from indexer.feeds.values import boolean, number

# The first columns of the files that `indexer.feeds.rejected` writes; ignored when read back.
REPORT_COLUMNS = ("source", "line", "reason")
_DELIMITERS = {".tsv": "\t,;|", ".csv": ",;\t|", ".txt": "\t,;|"}  # most likely first
_KNOWN = {
    "id",
    "title",
    "description",
    "link",
    MAIN_IMAGE,
    MORE_IMAGES,
    "product_type",
    "category",
    "price",
    "availability",
    "in_stock",
    "brand",
    "color",
}
_PRICE = re.compile(r"[0-9][.,][0-9]{2}\b")  # in no name of a column
_TYPED = re.compile(r"\s*c:(?P<name>.+):(?P<type>number|boolean)\s*")
_TYPES: dict[str, Callable[[str, str], object]] = {"number": number, "boolean": boolean}

Column = tuple[str, Callable[[str, str], object] | None]  # name, conversion of its cells


def typed_header(name: str, kind: str) -> str:
    """Returns the header of a label with cells of type `kind`, "number" or "boolean"."""
    return f"c:{name}:{kind}"


def read_delimited(path: Path) -> Iterator[Record | BadRecord]:
    """Reads a CSV or TSV file; the delimiter is the one that gives most known columns.

    Raises:
        FeedError: the header is missing, or lacks required columns.
    """
    with open_text(path) as stream:
        lines = Lines(stream)
        delimiter, columns = _read_header(path, lines)
        suspects = Suspects(delimiter, [name for name, _ in columns])
        rows = csv.reader(lines, delimiter=delimiter, strict=True)
        while True:
            line = lines.start_row()
            try:
                cells = next(rows, None)
                if cells and suspects.swallowed(lines.row):
                    raise RowError("a quote is opened here and closed in a later row")
            except (csv.Error, RowError) as error:
                lines.retry_after_first()  # a stray quote must cost only its own row
                reason = f"invalid quoting or row too long: {error}"
                yield suspects.broken(line, reason, lines.row[0])
                continue
            if cells is None:
                return
            if not any(cell.strip() for cell in cells):
                continue  # spreadsheets append rows of delimiters only
            if len(cells) == len(columns):
                record = _record(line, columns, cells, suspects.inside(cells, lines.row))
                whole = lines.row[-1].endswith(("\n", "\r"))
                yield record if whole else replace(record, unterminated=True)
            else:
                yield suspects.of_wrong_length(line, cells, lines.row)


def _read_header(path: Path, lines: Lines) -> tuple[str, list[Column]]:
    try:
        header = read_header(lines, _DELIMITERS[path.suffix.lower()], _known_columns)
    except (csv.Error, RowError) as error:
        raise FeedError(f"{path}: the header cannot be read: {error}") from error
    columns = [_column(cell) for cell in header.cells]
    if tuple(header.cells[: len(REPORT_COLUMNS)]) == REPORT_COLUMNS:
        columns[: len(REPORT_COLUMNS)] = [("", None)] * len(REPORT_COLUMNS)
    require_columns(path, [name for name, _ in columns])
    if any(looks_like_a_photo(cell) or _PRICE.search(cell) for cell in header.cells):
        raise FeedError(f"{path}: the header contains cells of a row; is a line break missing?")
    if not header.line.endswith(("\n", "\r")):
        raise FeedError(f"{path}: the feed ends in its header; export it again")
    return header.delimiter, columns


def _known_columns(headers: list[str]) -> int:
    return len({column_name(header) for header in headers} & _KNOWN)


def require_columns(path: Path, headers: list[str]) -> None:
    """Checks that the header has the columns that every product needs.

    Raises:
        FeedError: the column of the id or of the main photo is missing.
    """
    missing = {"id", MAIN_IMAGE} - {column_name(header) for header in headers}
    if missing:
        raise FeedError(
            f"{path}: a feed needs the columns id and {MAIN_IMAGE}; "
            f"missing: {', '.join(sorted(missing))}; received: {', '.join(headers)!r:.300}"
        )


def _column(header: str) -> Column:
    match = _TYPED.fullmatch(header)
    return (match["name"], _TYPES[match["type"]]) if match else (header, None)


def _record(
    line: int, columns: list[Column], cells: list[str], possible_ids: tuple[str, ...]
) -> Record:
    values: list[tuple[str, object]] = []
    fault = ""
    for (name, convert), cell in zip(columns, cells, strict=True):
        try:
            values.append((name, convert(name, cell) if convert and cell.strip() else cell))
        except RowError as error:
            values.append((name, cell))
            fault = fault or str(error)
    return Record(line, values, possible_ids, fault)

"""CSV and TSV feeds.

Cells are text. A header `c:NAME:number` or `c:NAME:boolean` gives the label
NAME a type; `indexer.feeds.writer` writes such headers.
"""

import csv
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from indexer.errors import FeedError
from indexer.feeds.lines import Lines, open_text
from indexer.feeds.merchant import MAIN_IMAGE, MORE_IMAGES, column_name
from indexer.feeds.rows import BadRecord, Record, RowError
from indexer.feeds.values import boolean, number

_DELIMITERS = {".tsv": "\t,;|", ".csv": ",;\t|", ".txt": "\t,;|"}  # the likeliest first
_FAMILIAR = {
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
_TYPED = re.compile(r"\s*c:(?P<name>.+):(?P<type>number|boolean)\s*")
_TYPES: dict[str, Callable[[str, str], object]] = {"number": number, "boolean": boolean}

Column = tuple[str, Callable[[str, str], object] | None]  # name, conversion of its cells


def typed_header(name: str, kind: str) -> str:
    """The header of a label whose cells are of `kind`, "number" or "boolean"."""
    return f"c:{name}:{kind}"


def read_delimited(path: Path) -> Iterator[Record | BadRecord]:
    """Rows of a CSV or TSV file; the delimiter is the one that makes the header familiar.

    Raises:
        FeedError: there is no header, or it lacks the columns every product needs.
    """
    with open_text(path) as stream:
        lines = Lines(stream)
        delimiter, columns = _read_header(path, lines)
        rows = csv.reader(lines, delimiter=delimiter, strict=True)
        while True:
            line = lines.start_row()
            try:
                cells = next(rows, None)
            except (csv.Error, RowError) as error:
                lines.retry_after_first()  # a stray quote costs its own row, not all behind it
                yield BadRecord(line, f"quoting or length of the row is wrong: {error}")
                continue
            if cells is None:
                return
            if any(cells):  # spreadsheets end in rows of nothing but delimiters
                yield _record(line, columns, cells)


def _read_header(path: Path, lines: Lines) -> tuple[str, list[Column]]:
    try:
        header = next((line for line in lines if line.strip()), "")
        candidates = {
            delimiter: next(csv.reader([header], delimiter=delimiter, strict=True), [])
            for delimiter in _DELIMITERS[path.suffix.lower()]
        }
    except (csv.Error, RowError) as error:
        raise FeedError(f"{path}: the header cannot be read: {error}") from error
    delimiter = max(candidates, key=lambda key: _familiarity(candidates[key]))
    columns = [_column(header) for header in candidates[delimiter]]
    require_columns(path, [name for name, _ in columns])
    return delimiter, columns


def _familiarity(headers: list[str]) -> int:
    return len({column_name(header) for header in headers} & _FAMILIAR)


def require_columns(path: Path, headers: list[str]) -> None:
    """Raise `FeedError` unless there are columns for the product id and its photo."""
    missing = {"id", MAIN_IMAGE} - {column_name(header) for header in headers}
    if missing:
        raise FeedError(
            f"{path}: a feed needs the columns id and {MAIN_IMAGE}; "
            f"missing: {', '.join(sorted(missing))}; received: {', '.join(headers)!r:.300}"
        )


def _column(header: str) -> Column:
    match = _TYPED.fullmatch(header)
    return (match["name"], _TYPES[match["type"]]) if match else (header, None)


def _record(line: int, columns: list[Column], cells: list[str]) -> Record | BadRecord:
    if len(cells) != len(columns):
        return BadRecord(
            line, f"the header has {len(columns)} columns, this row has {len(cells)} cells"
        )
    try:
        return Record(
            line,
            [
                (name, convert(name, cell) if convert and cell.strip() else cell)
                for (name, convert), cell in zip(columns, cells, strict=True)
            ],
        )
    except RowError as error:
        return BadRecord(line, str(error))

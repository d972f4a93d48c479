"""Dialects of delimited text: the delimiter, the encoding, and the first line of Excel."""

import csv
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from indexer.feeds.lines import Lines, open_text
from indexer.feeds.rows import RowError

_DELIMITERS = ",;\t|"  # of tables, most likely first
# A first line that Excel understands; programs that save it again quote it or fill it up.
_SEPARATOR = re.compile(r'"?sep=(?P<delimiter>.)"?(?P=delimiter)*\s*', re.IGNORECASE)


@dataclass(frozen=True)
class Header:
    """The first row of a file.

    Attributes:
        line: its text, with the line end.
        delimiter: of the cells.
        cells: the names of the columns, as written.
    """

    line: str
    delimiter: str
    cells: list[str]


def read_header(lines: Lines, delimiters: str, known: Callable[[list[str]], int]) -> Header:
    """Reads the header; the delimiter is the one that gives most known columns.

    Args:
        lines: of the file, from the first.
        delimiters: to choose from, the most likely first, unless a line `sep=` names one.
        known: returns the number of known columns in a header.

    Raises:
        csv.Error, RowError: the header has invalid quotes with every delimiter, or is too long.
    """
    line = next((line for line in lines if line.strip()), "")
    if match := _SEPARATOR.fullmatch(line):
        delimiters = match["delimiter"]
        line = next((line for line in lines if line.strip()), "")
    candidates: dict[str, list[str]] = {}
    faults: list[csv.Error] = []
    for delimiter in delimiters:
        try:
            candidates[delimiter] = next(csv.reader([line], delimiter=delimiter, strict=True), [])
        except csv.Error as error:  # as for "id","title" with another delimiter than the comma
            faults.append(error)
    if not candidates:
        raise faults[0]
    delimiter = max(candidates, key=lambda key: known(candidates[key]))
    return Header(line, delimiter, candidates[delimiter])


@dataclass(frozen=True)
class Table:
    """A delimited file that is not a feed.

    Attributes:
        columns: as in the header.
        rows: the line where each row ends, and its cells by column: those beyond the last column
            are at None, and missing ones are None. Rows without any text are left out.
    """

    columns: list[str]
    rows: Iterator[tuple[int, Mapping[str | None, str | None]]]


@contextmanager
def open_table(path: Path, columns: Collection[str]) -> Iterator[Table]:
    """Opens a file in any of the dialects of feeds.

    Args:
        path: of the file.
        columns: those it may have.

    Raises:
        OSError, UnicodeDecodeError, csv.Error: it cannot be read; also raised by the rows.
    """
    with open_text(path, strict=True) as stream:
        lines = Lines(stream)
        try:
            header = read_header(lines, _DELIMITERS, lambda cells: len(set(cells) & set(columns)))
        except RowError as error:
            raise csv.Error(str(error)) from error
        yield Table(header.cells, _rows(lines, header))


def _rows(lines: Lines, header: Header) -> Iterator[tuple[int, Mapping[str | None, str | None]]]:
    reader = csv.reader(lines, delimiter=header.delimiter, strict=True)
    while True:
        lines.start_row()
        try:
            cells = next(reader, None)
        except RowError as error:
            raise csv.Error(str(error)) from error
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield lines.number, _by_column(header.cells, cells)


def _by_column(columns: list[str], cells: list[str]) -> Mapping[str | None, str | None]:
    row: dict[str | None, str | None] = dict.fromkeys(columns)
    row.update(zip(columns, cells, strict=False))
    if len(cells) > len(columns):
        row[None] = cells[len(columns)]
    return row

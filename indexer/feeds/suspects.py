"""Ids in rows of delimited text whose quotes or delimiters are wrong.

A product must not be taken for removed because the row that names it is broken. So every id that
such a row may have counts; and a row counts as one that names its id only where that is sure.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise, zip_longest

from indexer.feeds.merchant import MAIN_IMAGE, column_name
from indexer.feeds.rows import BadRecord, RowError
from indexer.feeds.values import product_id

_MOST_CELLS = 1_000  # of a line that is looked into
_WHOLE = re.compile(r'\s*("[^"]*"|[^"]*)\s*')  # a cell whose quotes are right
_PHOTO = re.compile(r"://|\.(jpe?g|png|webp|avif|gif|bmp)\b", re.IGNORECASE)


class Suspects:
    """Looks into the lines of a feed.

    Args:
        delimiter: of its cells.
        names: of its columns, as the header has them.
    """

    def __init__(self, delimiter: str, names: Sequence[str]) -> None:
        self._delimiter = delimiter
        self._names = names
        self._width = len(names)
        columns = list(map(column_name, names))
        self._id = columns.index("id")
        self._photo = columns.index(MAIN_IMAGE)

    def swallowed(self, lines: Sequence[str]) -> bool:
        """Whether a line behind the first of a row is a row itself: a quote is not closed."""
        return any(
            len(cells) == self._width
            and _as_id(cells[self._id]) is not None
            and looks_like_a_photo(cells[self._photo])
            for line in lines[1:]
            for cells in self._splits(line)
        )

    def inside(self, cells: Sequence[str], lines: Sequence[str]) -> tuple[str, ...]:
        """Ids that a row may have beside its own.

        Its own without the quotes around it, or what is before or behind a quote in it, any of
        which may be left over; and those that the lines behind the first would have if they were
        rows.
        """
        own = cells[self._id]
        found = [_as_id(part) for part in (own, *own.split('"'))] if '"' in own else []
        found += [
            _as_id(split[self._id])
            for line in lines[1:]
            for split in self._splits(line)
            if 1 < len(split) > self._id
        ]
        return tuple(dict.fromkeys(each for each in found if each and each != own))

    def broken(self, line: int, reason: str, text: str) -> BadRecord:
        """The record of a line whose quotes are wrong."""
        sure = None
        splits = [cells for cells in self._splits(text) if len(cells) >= self._width]
        if self._id == 0 and splits and _WHOLE.fullmatch(first := splits[-1][0]):
            sure = _as_id(first)
        return self._bad(line, reason, sure, splits[0] if splits else [text], [text])

    def of_wrong_length(self, line: int, cells: Sequence[str], lines: Sequence[str]) -> BadRecord:
        """The record of a row with too many or too few cells.

        With too few it may be a piece of a row, with very many it may be two. Else its id is sure
        if it comes before all that can be wrong.
        """
        reason = (
            f"the header has {self._width} columns, this row has {len(cells)} cells;"
            " is a cell with a delimiter or a line break not in quotes?"
        )
        some_more = self._width < len(cells) < 2 * self._width - 1
        sure = _as_id(cells[0]) if some_more and self._id == 0 else None
        return self._bad(line, reason, sure, cells, lines)

    def _bad(
        self,
        line: int,
        reason: str,
        sure: str | None,
        cells: Sequence[str],
        lines: Sequence[str],
    ) -> BadRecord:
        if not lines[-1].endswith(("\n", "\r")):
            reason, sure = f"{reason}; the feed ends in this row", None
        ids = dict.fromkeys(each for text in lines for each in self._ids(text))
        named = zip_longest(self._names, cells, fillvalue="")
        return BadRecord(line, reason, sure, tuple(ids), list(named))

    def _ids(self, line: str) -> Iterator[str]:
        """Every cell, and every two neighbours (an id with a delimiter), as far as it is an id."""
        for cells in self._splits(line):
            neighbours = map(self._delimiter.join, pairwise(cells))
            for text in (*cells, *neighbours):
                if name := _as_id(text):
                    yield name

    def _splits(self, line: str) -> Iterator[list[str]]:
        """The cells of a line, with its quotes heeded and not."""
        if line.count(self._delimiter) >= _MOST_CELLS:
            return
        text = line.rstrip("\r\n")
        try:
            yield next(csv.reader([text], delimiter=self._delimiter), [])
        except csv.Error:  # a cell is too long
            return
        yield text.split(self._delimiter)


def looks_like_a_photo(cell: str) -> bool:
    """Whether a cell is the address or file name of a photo."""
    return _PHOTO.search(cell) is not None


def _as_id(cell: str) -> str | None:
    """The id in a cell; quotes around it are not part of it."""
    try:
        return product_id(cell.strip().strip('"').replace('""', '"'))
    except RowError:
        return None

"""Finds product ids in malformed rows of delimited text.

A product must not be removed because its row has wrong quotes or delimiters. The text of such a
row is therefore reported; its own id only if it is certain.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest

from indexer.feeds.lines import MAX_ROW
from indexer.feeds.merchant import MAIN_IMAGE, bare, column_name, id_name
from indexer.feeds.rows import BadRecord, RowError
from indexer.feeds.values import product_id

_MAX_CELLS = 1_000  # longer lines are not searched
_WELL_QUOTED = re.compile(r'\s*("[^"]*"|[^"]*)\s*')  # a whole cell with matching quotes
_PHOTO = re.compile(r"://|\.(jp(e?g|e)|jfif|png|webp|avif|gif|bmp)\b", re.IGNORECASE)


class Suspects:
    """Searches malformed rows of a feed for product ids.

    Args:
        delimiter: of the cells.
        names: of the columns, as in the header.
    """

    def __init__(self, delimiter: str, names: Sequence[str]) -> None:
        self._delimiter = delimiter
        self._names = names
        self._width = len(names)
        columns = list(map(column_name, names))
        self._id = list(map(bare, names)).index(id_name(names))
        self._photo = columns.index(MAIN_IMAGE)

    def swallowed(self, lines: Sequence[str]) -> bool:
        """Returns whether a later line of a row is a row itself, because a quote is not closed."""
        return any(
            len(cells) == self._width
            and _as_id(cells[self._id]) is not None
            and looks_like_a_photo(cells[self._photo])
            for line in lines[1:]
            for cells in self._splits(line)
        )

    def inside(self, cells: Sequence[str], lines: Sequence[str]) -> tuple[str, ...]:
        """Returns ids that a row may contain in addition to its own.

        These are its own id without stray quotes, the parts of it between quotes, and the ids of
        its further lines if they were rows.
        """
        name = cells[self._id]
        found = [_as_id(part) for part in (name, *name.split('"'))] if '"' in name else []
        found += [
            _as_id(split[self._id])
            for line in lines[1:]
            for split in self._splits(line)
            if 1 < len(split) > self._id
        ]
        return tuple(dict.fromkeys(each for each in found if each and each != name))

    def broken(self, line: int, reason: str, text: str) -> BadRecord:
        """Returns the record of a line with wrong quotes."""
        certain = None
        shown = text if len(text) <= MAX_ROW else ""
        splits = [cells for cells in self._splits(shown) if len(cells) >= self._width]
        if self._id == 0 and splits and _WELL_QUOTED.fullmatch(first := splits[-1][0]):
            certain = _as_id(first)
        return self._bad(line, reason, certain, splits[0] if splits else [shown], [text])

    def of_wrong_length(self, line: int, cells: Sequence[str], lines: Sequence[str]) -> BadRecord:
        """Returns the record of a row with too many or too few cells.

        With too few cells it may be part of a row, with very many it may be two rows. Otherwise
        its id is certain if it is the first cell, before anything that can be wrong.
        """
        reason = (
            f"the header has {self._width} columns, this row has {len(cells)} cells;"
            " is a cell with a delimiter or a line break not quoted?"
        )
        slightly_long = self._width < len(cells) < 2 * self._width - 1
        certain = _as_id(cells[0]) if slightly_long and self._id == 0 else None
        return self._bad(line, reason, certain, cells, lines)

    def _bad(
        self,
        line: int,
        reason: str,
        certain: str | None,
        cells: Sequence[str],
        lines: Sequence[str],
    ) -> BadRecord:
        if not lines[-1].endswith(("\n", "\r")):
            reason, certain = f"{reason}; the feed ends in this row", None
        text = "".join(lines)
        if '""' in text:  # a quote inside a quoted cell is written twice
            text += text.replace('""', '"')
        named = zip_longest(self._names, cells, fillvalue="")
        return BadRecord(line, reason, certain, text, list(named))

    def _splits(self, line: str) -> Iterator[list[str]]:
        """Yields the cells of a line twice: with quotes interpreted, and ignored."""
        if line.count(self._delimiter) >= _MAX_CELLS:
            return
        text = line.rstrip("\r\n")
        try:
            yield next(csv.reader([text], delimiter=self._delimiter), [])
        except csv.Error:  # a cell is too long
            return
        yield text.split(self._delimiter)


def looks_like_a_photo(cell: str) -> bool:
    """Returns whether a cell is the URL or file name of a photo."""
    return _PHOTO.search(cell) is not None


def _as_id(cell: str) -> str | None:
    """Returns the id in a cell, without surrounding quotes; None if it is not an id."""
    try:
        return product_id(cell.strip().strip('"').replace('""', '"'))
    except RowError:
        return None

"""Reads the lines of a text feed in bounded memory."""

import codecs
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from indexer.errors import FeedError
from indexer.feeds.rows import RowError

MAX_ROW = 1 << 20  # characters of one row, including line breaks
_MAX_LINE = 16 * MAX_ROW  # of a line that is rejected alone; its text is searched for ids


def open_text(path: Path, *, strict: bool = False) -> TextIO:
    """Opens a file as text: UTF-16 if it starts with a byte order mark of it, else UTF-8.

    Line ends are kept. Undecodable bytes become surrogates, so that only their row is rejected;
    with `strict`, reading them raises a UnicodeDecodeError.
    """
    with path.open("rb") as stream:
        mark = stream.read(2)
    if mark in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        errors = "strict" if strict else "surrogatepass"
        return path.open(encoding="utf-16", errors=errors, newline="")
    errors = "strict" if strict else "surrogateescape"
    return path.open(encoding="utf-8-sig", errors=errors, newline="")


class Lines(Iterator[str]):
    """Iterates over lines, and can return to the second line of the current row.

    `__next__` raises `RowError` if a line, or all lines since `start_row`, exceed `MAX_ROW`
    characters; the next call continues after that line. A line longer than 16 times that ends the
    feed with a `FeedError`.

    Attributes:
        number: number of the line returned last, from 1.
    """

    def __init__(self, stream: TextIO) -> None:
        self.number = 0
        self._stream = stream
        self._ahead: deque[str] = deque()  # to read again
        self._row: list[str] = []
        self._size = 0

    def start_row(self) -> int:
        """Starts a row at the next line, and returns the number of that line."""
        self._row.clear()
        self._size = 0
        return self.number + 1

    @property
    def row(self) -> list[str]:
        """The lines read since `start_row`, including those that were too long."""
        return list(self._row)

    def retry_after_first(self) -> None:
        """Goes back to the second line of the row."""
        again = self._row[1:]
        self._ahead.extendleft(reversed(again))
        self.number -= len(again)

    def __next__(self) -> str:
        line = self._ahead.popleft() if self._ahead else self._read()
        if line == "":
            raise StopIteration
        self.number += 1
        self._row.append(line)
        self._size += len(line)
        if self._size > MAX_ROW:
            raise RowError(f"longer than {MAX_ROW:,} characters; is a quote not closed?")
        return line

    def _read(self) -> str:
        line = self._stream.readline(_MAX_LINE)
        if len(line) == _MAX_LINE and not line.endswith(("\n", "\r")):
            raise FeedError(
                f"{self._stream.name}: line {self.number + 1} is longer than {_MAX_LINE:,}"
                " characters; write one row per line"
            )
        return line

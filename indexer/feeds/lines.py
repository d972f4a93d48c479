"""Lines of a text feed, in bounded memory whatever the file holds."""

import codecs
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from indexer.feeds.rows import RowError

MAX_ROW = 1 << 20  # characters of one row, its line breaks included


def open_text(path: Path) -> TextIO:
    """The file as text: UTF-16 if it starts with its mark, else UTF-8.

    Line ends stay as they are. Bytes that do not decode become surrogates, so
    that only the row that has them is lost.
    """
    with path.open("rb") as stream:
        mark = stream.read(2)
    if mark in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return path.open(encoding="utf-16", errors="surrogatepass", newline="")
    return path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")


class Lines(Iterator[str]):
    """Iterator over lines that can go back to the second line of the current row.

    `number` is the line last returned, from 1. `__next__` raises `RowError` for
    a line, or lines since `start_row`, longer than `MAX_ROW`; the next call goes
    on behind it.
    """

    def __init__(self, stream: TextIO) -> None:
        self.number = 0
        self._stream = stream
        self._ahead: deque[str | None] = deque()  # to be read again; None was too long
        self._row: list[str | None] = []
        self._size = 0

    def start_row(self) -> int:
        """Forget the lines so far; returns the number of the next one."""
        self._row.clear()
        self._size = 0
        return self.number + 1

    @property
    def row(self) -> list[str]:
        """The lines since `start_row`, also those that were gone back behind; "" was too long."""
        return [line or "" for line in self._row]

    def retry_after_first(self) -> None:
        """Go back to just behind the first line of the row."""
        again = self._row[1:]
        self._ahead.extendleft(reversed(again))
        self.number -= len(again)

    def __next__(self) -> str:
        line = self._ahead.popleft() if self._ahead else self._read()
        if line == "":
            raise StopIteration
        self.number += 1
        self._row.append(line)
        self._size += len(line or "")
        if line is None or self._size > MAX_ROW:
            raise RowError(f"longer than {MAX_ROW} characters; is a quote never closed?")
        return line

    def _read(self) -> str | None:
        line = part = self._stream.readline(MAX_ROW)
        if len(line) < MAX_ROW or line.endswith(("\n", "\r")):
            return line
        while part and not part.endswith(("\n", "\r")):
            part = self._stream.readline(MAX_ROW)
        return None

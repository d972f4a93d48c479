"""The last committed `seq` and image id, in a small file next to the catalogue.

SQLite accepts a truncated, lost or damaged write-ahead log as a shorter one, and an emptied
database as a new one. Committed changes would be lost without an error; the high-water mark
detects that. It is written after each commit, so it is never ahead of the catalogue. It is not
flushed: after a power cut, a stale mark only weakens detection.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from indexer.store.embedded.catalog.checksums import checksum

FILE_NAME = "catalog.mark"


class HighWaterMark(NamedTuple):
    """The last `seq` and the last image id that were assigned."""

    seq: int
    image_id: int


class HighWaterMarkFile:
    """The file of the high-water mark in the folder of a catalogue."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE_NAME

    def read(self) -> HighWaterMark | None:
        """Reads the mark; None if the file does not exist, is incomplete or damaged."""
        try:
            text = self.path.read_text("ascii")
            mark = HighWaterMark(*map(int, text.split()[:2]))
        except (OSError, ValueError, TypeError):
            return None
        return mark if text == _text(mark) else None

    def is_damaged(self) -> bool:
        """Returns whether the file is damaged; an empty one, left by a power cut, is not."""
        return self.path.is_file() and self.path.stat().st_size > 0 and self.read() is None

    def write(self, mark: HighWaterMark) -> None:
        """Writes the mark; ignores errors, because the change is already committed."""
        with suppress(OSError):
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                os.write(descriptor, _text(mark).encode())
            finally:
                os.close(descriptor)


def _text(mark: HighWaterMark) -> str:
    # Of fixed length, so that it overwrites the previous one.
    return f"{mark.seq:020} {mark.image_id:020} {checksum(*mark):08x}\n"

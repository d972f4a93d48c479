"""How far a catalogue was written, in a small file beside it.

SQLite takes a write-ahead log that was cut, lost or damaged for a shorter one, and an emptied
file for a new one. Neither is an error to it, but acknowledged changes would be gone: the mark
tells. It is written after each commit, so it is never ahead of what the catalogue holds, and
need not be flushed: after a power cut an older one only tells less.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from indexer.store.embedded.catalog.checksums import checksum

FILE_NAME = "catalog.mark"


class Mark(NamedTuple):
    """The last `seq`, and the last image id, that were given out."""

    seq: int
    image_id: int


class MarkFile:
    """The mark of the catalogue in a folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE_NAME

    def read(self) -> Mark | None:
        """None if there is no mark, or if it was not written to its end or is damaged."""
        try:
            text = self.path.read_text("ascii")
            mark = Mark(*map(int, text.split()[:2]))
        except (OSError, ValueError, TypeError):
            return None
        return mark if text == _text(mark) else None

    def is_damaged(self) -> bool:
        """An empty file is one that a power cut left before it was written."""
        return self.path.is_file() and self.path.stat().st_size > 0 and self.read() is None

    def write(self, mark: Mark) -> None:
        # The change is stored, so a full disk must not make it look as if it were not.
        with suppress(OSError):
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                os.write(descriptor, _text(mark).encode())
            finally:
                os.close(descriptor)


def _text(mark: Mark) -> str:
    # Always as long, so that it replaces the one before.
    return f"{mark.seq:020} {mark.image_id:020} {checksum(*mark):08x}\n"

"""Recognizes files that are no text, or no UTF-8, whatever their extension says."""

import codecs
import re
from functools import partial
from pathlib import Path

from indexer.errors import FeedError

_HEAD = 512  # bytes
_PART = 2**20  # bytes of a line that are looked at together
_WORD = re.compile(rb"[\w\x80-\xff]*[\x80-\xff][\w\x80-\xff]*")
_PHOTO = "a photo; add it by its path, or by a feed that has its URL as image_link"
_SIGNATURES = (
    (b"\x1f\x8b", "compressed with gzip; unpack it"),
    (b"BZh", "compressed with bzip2; unpack it"),
    (b"\xfd7zXZ", "compressed with xz; unpack it"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd; unpack it"),
    (b"PK\x03\x04", "a ZIP archive or an Excel workbook; unpack it, or save the sheet as CSV"),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook; save the sheet as CSV"),
    (b"PAR1", "a Parquet file; rename it to .parquet"),
    (b"%PDF", "a PDF file; export the feed as CSV"),
    *((start, _PHOTO) for start in (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"RIFF")),
)


def require_text(path: Path) -> None:
    """Checks that a text feed is text in UTF-8, or in UTF-16 with a byte order mark.

    Raises:
        FeedError: the file is of another kind, or in another encoding.
    """
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            raise FeedError(f"{path}: the file seems to be {kind}")
    if path.suffix.lower() == ".xml" or head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return
    for start in (0, 1):  # every second byte of Latin text in UTF-16 is 0
        if head[start::2].count(0) > len(head) / 5:
            raise FeedError(
                f"{path}: the file seems to be UTF-16 without a byte order mark; save it as UTF-8"
            )
    _require_utf8(path)


def _require_utf8(path: Path) -> None:
    """Checks that the text beyond ASCII is UTF-8, in one line at least.

    If it is, or if only one line has such text, the other lines are damaged rows, which are
    rejected one by one.

    Raises:
        FeedError: two lines or more are in another encoding, and none is in UTF-8.
    """
    foreign: list[tuple[int, bytes]] = []
    with path.open("rb") as stream:
        for number, line in enumerate(iter(partial(stream.readline, _PART), b""), 1):
            if line.isascii():
                continue
            try:
                line.decode()
            except UnicodeDecodeError:
                foreign = [*foreign, (number, line)][:2]
            else:
                return
    if len(foreign) == 2:
        number, line = foreign[0]
        word = _WORD.search(line)
        read = word[0].decode("cp1252", "replace") if word else ""
        raise FeedError(
            f"{path}: the file is not UTF-8; line {number} reads {read!r:.40} in Windows-1252: save"
            " the file as UTF-8 (in Excel: CSV UTF-8), or convert it with"
            " iconv -f WINDOWS-1252 -t UTF-8"
        )

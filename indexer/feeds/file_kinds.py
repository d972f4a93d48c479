"""Recognizes files that are no text, or no UTF-8, whatever their extension says."""

import codecs
from pathlib import Path

from indexer.errors import FeedError

_HEAD = 512  # bytes
_SIGNATURES = (
    (b"\x1f\x8b", "compressed with gzip; unpack it"),
    (b"BZh", "compressed with bzip2; unpack it"),
    (b"\xfd7zXZ", "compressed with xz; unpack it"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd; unpack it"),
    (b"PK\x03\x04", "a ZIP archive or an Excel workbook; unpack it, or save the sheet as CSV"),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook; save the sheet as CSV"),
    (b"PAR1", "a Parquet file; rename it to .parquet"),
    (b"%PDF", "a PDF file; export the feed as CSV"),
)


def require_text(path: Path) -> None:
    """Checks the first bytes of a text feed.

    Raises:
        FeedError: the file is of another kind, or UTF-16 without a byte order mark.
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

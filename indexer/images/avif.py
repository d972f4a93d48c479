"""Estimates the memory for decoding an AVIF: its frames may be larger than its boxes say.

The decoder allocates by the frame size, and 1 KiB can declare a frame of 16384x16384 pixels.
This module therefore reads the AV1 sequence headers (ISO 14496-12, 8.11; AV1, 5.3 and 5.5.1).
"""

import os
import re
from collections.abc import Iterator
from io import BytesIO

from indexer.errors import UnsupportedFormatError

_MAX_PARTS = 10_000  # real files have a few per tile
_PICTURE = re.compile(rb"(?s)infe(?=[\2\3]...(..|....)..av01)")
_LOCATIONS = re.compile(rb"(?s)iloc([\0-\2])...(.)(.)")
_SEQUENCE_HEADER = 1
# Profile, reduced still picture header, and the numbers of bits of width and height.
_SEQUENCE = re.compile(r"(...).(?:(1).{5}|0{8}.{12}(?:00...|(?!00)......))(.{4})(.{4})")


def avif_memory(data: bytes, pixels: int) -> int:
    """Returns an upper bound of the bytes that decoding `data` takes.

    Args:
        data: the AVIF file.
        pixels: width x height as its boxes say.

    Raises:
        UnsupportedFormatError: the file has a structure that common encoders do not write.
    """
    bytes_per_pixel = 16
    for header in _sequence_headers(data):
        bits = "".join(f"{byte:08b}" for byte in header)
        if not (found := _SEQUENCE.match(bits)):
            raise _rare()
        x, y = int(found[3], 2) + 1, int(found[4], 2) + 1
        width, height = (bits[found.end() :][part] for part in (slice(x), slice(x, x + y)))
        # Any other picture can override its size frame by frame, up to these numbers of bits.
        still = (int(width, 2) + 1) * (int(height, 2) + 1)
        pixels = max(pixels, still if found[2] else 1 << x + y)
        # Colour and alpha planes, the decoder's RGBA, the copy passed to Python, and Pillow's
        # copy. Profile 0 is 4:2:0.
        bytes_per_pixel = max(bytes_per_pixel, 16 if found[1] == "000" else 24)
    return bytes_per_pixel * pixels


def _rare() -> UnsupportedFormatError:
    return UnsupportedFormatError("this kind of AVIF file is not supported; send JPEG or PNG")


def _sequence_headers(data: bytes) -> Iterator[bytes]:
    parts = 0
    for at, end in set(_pictures(data)):
        while at < min(end, len(data)):
            parts += 1
            if parts > _MAX_PARTS:
                raise _rare()
            kind = data[at]
            at += 2 if kind & 4 else 1
            size = end - at
            if kind & 2:
                size, shift, more = 0, 0, True
                while more and shift < 56:
                    size |= (data[at] & 0x7F) << shift
                    shift, more, at = shift + 7, data[at] >= 0x80, at + 1
            if kind >> 3 & 15 == _SEQUENCE_HEADER:
                yield data[at : at + min(size, 64)]
            at += size


def _pictures(data: bytes) -> Iterator[tuple[int, int]]:
    """Yields start and end of each AV1 picture (colour, alpha, thumbnail, tile) in the file."""
    items = {int.from_bytes(item) for item in _PICTURE.findall(data)}
    tables = list(_LOCATIONS.finditer(data))
    if len(tables) != 1:
        raise _rare()
    version, sizes, more_sizes = (part[0] for part in tables[0].groups())
    wide, method_size, index_size = 2 + version // 2 * 2, min(version, 1) * 2, more_sizes & 15
    place = (index_size if version else 0, sizes >> 4, sizes & 15)
    fields = BytesIO(data[tables[0].end() :])

    def number(size: int) -> int:
        return int.from_bytes(fields.read(size))

    if (total := number(wide)) > _MAX_PARTS:
        raise _rare()
    for _ in range(total):
        item, method, _, base, count = map(number, (wide, method_size, 2, more_sizes >> 4, 2))
        _, start, length = map(number, place)
        fields.seek((count - 1) * sum(place), os.SEEK_CUR)  # the other parts of the item
        if item in items:
            if method or count != 1 or not length:
                raise _rare()
            yield base + start, base + start + length

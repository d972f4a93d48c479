"""Photos as nobody would save them: damaged at random, and where it hurts."""

import struct
import zlib
from collections.abc import Callable, Sequence
from random import Random

from tests.bad_files import FORMATS, ODD_FILES, chunk, photo, saved, with_segment

_PNG = b"\x89PNG\r\n\x1a\n"
_MAX_CHANGES = 4
_MAX_BYTES = 2_000_000
_SHARE_REPAIRED = 0.8
# Lengths and sizes at which decoders stumble.
_ODD = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_SIDES = (0, 1, 3, 255, 4096, 7200, 16_384, 65_535, 60_000)

Mutation = Callable[[Random, bytes, Sequence[bytes]], bytes]


def seeds() -> list[bytes]:
    """What the mutations start from: the odd files, and drawn photos of every format and mode."""
    drawn = [
        saved(photo(mode, size), form)
        for form in FORMATS
        for mode in ("RGB", "L", "P", "RGBA")
        for size in ((40, 30), (300, 200))
        if form != "JPEG" or mode in ("RGB", "L")
    ]
    drawn += [
        saved(photo(size=(200, 300)), "JPEG", progressive=True),
        saved(photo("CMYK", (64, 64)), "JPEG"),
        saved(photo(size=(200, 300)), "WEBP", lossless=True),
        saved(photo(size=(1500, 1200)), "JPEG", quality=50),
        saved(photo(size=(1200, 900)), "AVIF", speed=10, quality=30),
    ]
    return [*drawn, *(odd.data for odd in ODD_FILES if odd.data)]


def mutated(random: Random, photos: Sequence[bytes]) -> bytes:
    """One of the photos after a few mutations, mostly with its checksums made right again."""
    data = random.choice(photos)
    for _ in range(random.randint(1, _MAX_CHANGES)):
        data = random.choice(_MUTATIONS)(random, data, photos)[:_MAX_BYTES]
    return _repaired(data) if random.random() < _SHARE_REPAIRED else data


def _flip(random: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    changed = bytearray(data or b"\0")
    for _change in range(random.choice((1, 1, 3, 20, 200))):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def _overwrite(random: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """An odd number somewhere, most likely near the beginning, where the headers are."""
    at = random.randrange(min(len(data), random.choice((16, 64, 512, _MAX_BYTES))) or 1)
    form = random.choice(("<H", ">H", "<I", ">I"))
    most = 2 ** (8 * struct.calcsize(form)) - 1
    return _replace(data, at, struct.pack(form, random.choice(_ODD) & most))


def _cut(random: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    at = random.randrange(len(data) + 1)
    return data[:at] if random.random() < 0.9 else data[at:]


def _splice(random: Random, data: bytes, photos: Sequence[bytes]) -> bytes:
    other = random.choice(photos)
    return data[: random.randrange(len(data) + 1)] + other[random.randrange(len(other)) :]


def _join(random: Random, data: bytes, photos: Sequence[bytes]) -> bytes:
    return data + random.choice(photos)


def _tail(random: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    return data + random.randbytes(random.choice((1, 50, 5_000)))


def _repeat(random: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """A stretch that comes many times."""
    start = random.randrange(len(data) + 1)
    end = min(len(data), start + random.choice((2, 16, 200)))
    return data[:start] + data[start:end] * random.choice((2, 100, 5_000)) + data[end:]


def _parts(random: Random, data: bytes, photos: Sequence[bytes]) -> bytes:
    """Chunks, segments or boxes that are gone, twice there, elsewhere, or of another file."""
    parts = _split(data)
    which = random.randrange(len(parts) > 1, len(parts))  # what comes first names the format
    match random.randrange(4):
        case 0:
            del parts[which]
        case 1:
            parts[which:which] = [parts[which]] * random.choice((1, 2, 300))
        case 2:
            parts[1:] = random.sample(parts[1:], len(parts) - 1)
        case _:
            parts.insert(which, random.choice(_split(random.choice(photos))))
    return b"".join(parts)


def _length(random: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """A chunk, segment or box that says another length than it has."""
    parts = _split(data)
    which = random.randrange(len(parts) > 1, len(parts))
    at = 2 if data[:2] == b"\xff\xd8" else 4 if data[:4] == b"RIFF" else 0
    number = random.choice((*_ODD, len(data), len(parts[which]) + 1))
    new = struct.pack({2: ">H", 4: "<I", 0: ">I"}[at], number & (0xFFFF if at == 2 else 2**32 - 1))
    parts[which] = _replace(parts[which], at, new)
    return b"".join(parts)


def _dimensions(random: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """A picture that says another size than it has."""
    width, height = random.choice(_SIDES), random.choice(_SIDES)
    for mark, offset, form in _SIZES:
        at = data.find(mark)
        if at >= 0:
            most = 2 ** (4 * struct.calcsize(form)) - 1
            return _replace(data, at + offset, struct.pack(form, width & most, height & most))
    return data


def _marker(random: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """One more segment or chunk, of a known name and unknown content."""
    body = random.randbytes(random.choice((0, 6, 40, 1_000)))
    if data[:2] == b"\xff\xd8":
        start = random.choice(
            (b"", b"Exif\0\0II*\0\x08\0\0\0", b"MPF\0II*\0", b"ICC_PROFILE\0\1\1")
        )
        return with_segment(data, random.randrange(0xC0, 0xFF), start + body)
    if data[:8] == _PNG:
        name = random.choice((b"tRNS", b"PLTE", b"iCCP", b"acTL", b"fcTL", b"eXIf", b"zTXt"))
        return data[:33] + chunk(name, body) + data[33:]
    return data


_MUTATIONS: tuple[Mutation, ...] = (
    *(_flip, _overwrite, _cut, _splice, _join, _tail, _repeat, _parts, _length, _dimensions),
    _marker,
)
# Where pictures say how large they are: after these bytes, so many further, in this form.
_SIZES = (
    (b"IHDR", 4, ">II"),
    (b"ispe", 8, ">II"),
    (b"\xff\xc0", 5, ">HH"),
    (b"\xff\xc2", 5, ">HH"),
    (b"GIF89a", 6, "<HH"),
    (b"GIF87a", 6, "<HH"),
    (b"\x9d\x01\x2a", 3, "<HH"),  # VP8
    (b"VP8X", 12, "<HH"),
    (b"BM", 18, "<II"),
)


def _split(data: bytes) -> list[bytes]:
    """`data` as its chunks, segments or boxes, as far as they can be told; joined they are it."""
    if data[:8] == _PNG:
        start, field, added = 8, ">I", 12
    elif data[:2] == b"\xff\xd8":
        start, field, added = 2, ">2xH", 2
    elif data[:4] == b"RIFF":
        start, field, added = 12, "<4xI", 8
    elif data[4:8] == b"ftyp":
        start, field, added = 0, ">I", 0
    else:
        start, field, added = 0, "", 64
    parts, at = [data[:start]], start
    while at < len(data):
        length = struct.unpack_from(field, data[at : at + 8].ljust(8, b"\0")) or (0,)
        end = at + max(length[0] + added, 4)
        parts.append(data[at:end])
        at = end
    return parts


def _repaired(data: bytes) -> bytes:
    """A PNG with right checksums, without which nothing of it is looked at."""
    if data[:8] != _PNG:
        return data
    return b"".join(
        part[:-4] + struct.pack(">I", zlib.crc32(part[4:-4]))
        if number and len(part) >= 12
        else part
        for number, part in enumerate(_split(data))
    )


def _replace(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]

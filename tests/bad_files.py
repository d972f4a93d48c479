"""Odd photos, each with what must become of it; built in memory, the same every time.

`expected` is None where the photo must be accepted, or else the stable error code.
Used against `indexer.images.decode` and against the HTTP service.
"""

import io
import random
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image, PngImagePlugin


@dataclass(frozen=True)
class OddFile:
    name: str
    data: bytes
    expected: str | None


EMPTY, UNSUPPORTED, TRUNCATED = "image_empty", "unsupported_format", "image_truncated"
CORRUPT, TOO_LARGE = "image_corrupt", "image_too_large"

FORMATS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "AVIF": "avif", "GIF": "gif", "BMP": "bmp"}


def photo(mode: str = "RGB", size: tuple[int, int] = (40, 30)) -> Image.Image:
    """A small picture in which no two corners are alike and some noise resists compression."""
    width, height = size
    across = Image.linear_gradient("L").rotate(90).resize(size)
    noise = Image.frombytes("L", size, random.Random(7).randbytes(width * height))
    down = Image.linear_gradient("L").resize(size)
    image = Image.merge("RGB", (across, down, noise))
    image.paste((250, 250, 0), (0, 0, max(1, width // 4), max(1, height // 4)))
    if mode in ("LA", "RGBA", "PA"):
        image.putalpha(across)
    return image.convert(mode)


def saved(image: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def exif_tiff(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


def chunk(name: bytes, body: bytes) -> bytes:
    """One PNG chunk."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, depth: int, colour: int, rows: bytes, *extra: bytes) -> bytes:
    """A PNG from its parts; `rows` still without their filter bytes, `extra` before the pixels."""
    stride = len(rows) // height if height else 0
    lines = b"".join(b"\0" + rows[i * stride : (i + 1) * stride] for i in range(height))
    return png_of(width, height, depth, colour, zlib.compress(lines), *extra)


def png_of(width: int, height: int, depth: int, colour: int, idat: bytes, *extra: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = [chunk(b"IHDR", header), *extra, chunk(b"IDAT", idat), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def replaced(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def with_segment(jpeg: bytes, marker: int, body: bytes) -> bytes:
    """`jpeg` with one more segment right after its start."""
    return jpeg[:2] + struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body + jpeg[2:]


def avif_claiming(data: bytes, width: int, height: int) -> bytes:
    """An AVIF whose boxes name another size than its frames have."""
    return replaced(data, data.index(b"ispe") + 8, struct.pack(">II", width, height))


def _whole(form: str) -> bytes:
    return saved(photo(), form)


def _truncated() -> list[OddFile]:
    cuts = {"a-quarter": 0.25, "half": 0.5, "nine-tenths": 0.9}
    files = []
    for form, end in FORMATS.items():
        data = _whole(form)
        # Nothing tells whether an AVIF was cut or damaged within its header.
        header = CORRUPT if form == "AVIF" else TRUNCATED
        files.append(OddFile(f"cut-after-16-bytes.{end}", data[:16], header))
        for where, part in cuts.items():
            code = header if part < 0.6 else TRUNCATED
            files.append(OddFile(f"cut-at-{where}.{end}", data[: int(len(data) * part)], code))
    return files


def _bombs() -> list[OddFile]:
    gif, bmp, webp = _whole("GIF"), _whole("BMP"), saved(photo("RGBA"), "WEBP", exif=exif_tiff(1))
    zeros = zlib.compress(bytes(12_000 * 1_000), 9)
    text = chunk(b"iTXt", b"k\0\1\0\0\0" + zlib.compress("\U0001f600".encode() * 260_000, 9))
    jpeg = _whole("JPEG")
    frame = jpeg.index(b"\xff\xc0") + 5
    large = Image.new("RGB", (4096, 4096), "navy")
    whole_frame = b"!\xf9\4\x08\0\0\0\0,\0\0\0\0" + b"\xff" * 4
    disposal = b"GIF89a" + b"\xff" * 4 + bytes(3) + whole_frame + b"\0\2\0;"
    return [
        OddFile("bomb-of-zeros.png", png_of(12_000, 12_000, 8, 2, zeros), TOO_LARGE),
        OddFile("claims-60000x60000.png", png_of(60_000, 60_000, 8, 2, b""), TOO_LARGE),
        OddFile("claims-65535x65535.jpg", replaced(jpeg, frame, b"\xff" * 4), TOO_LARGE),
        OddFile("huge-screen.gif", replaced(gif, 6, b"\xff" * 4), TOO_LARGE),
        OddFile("huge-canvas.webp", replaced(webp, 24, b"\xff\xff\0\xff\xff\0"), TOO_LARGE),
        OddFile("huge.bmp", replaced(bmp, 18, struct.pack("<ii", 60_000, 60_000)), TOO_LARGE),
        OddFile("huge-boxes.avif", avif_claiming(_whole("AVIF"), 16384, 16384), TOO_LARGE),
        OddFile("one-row-too-wide.png", png_of(100_000, 1, 8, 0, b""), TOO_LARGE),
        OddFile("huge-frame.avif", avif_claiming(_avif_of(large), 64, 64), TOO_LARGE),
        OddFile("crumbs.jpg", b"\xff\xd8" + b"\xff\xfe\0\2" * 20_001, CORRUPT),
        OddFile("crumbs.gif", b"GIF89a\2\0\2\0\0\0\0" + b"!\xfe\0" * 20_001, TRUNCATED),
        OddFile("huge-disposal.gif", disposal, TOO_LARGE),
        OddFile("run-length.bmp", replaced(bmp, 30, struct.pack("<I", 1)), UNSUPPORTED),
        OddFile("text-chunks.png", png(2, 1, 8, 0, b"\0\1", *[text] * 100), CORRUPT),
    ]


def _avif_of(image: Image.Image) -> bytes:
    return saved(image, "AVIF", speed=10, quality=30)


def _strangers() -> list[OddFile]:
    mixed = random.Random(7).randbytes(3_000)
    heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)
    kinds = {
        "notes.txt": b"a red shoe, please",
        "page.jpg": b"<!DOCTYPE html><html><body>404</body></html>",
        "drawing.svg": b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>',
        "bare.svg": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
        "paper.pdf": b"%PDF-1.7\n%" + bytes(40),
        "scan.tif": saved(photo(), "TIFF"),
        "favicon.ico": saved(photo(), "ICO"),
        "layers.psd": b"8BPS\0\1" + bytes(20),
        "archive.zip": b"PK\x03\x04" + bytes(60),
        "phone.heic": heic,
        "film.mp4": b"\0\0\0\x18ftypisom\0\0\0\0isommp42" + bytes(100),
        "figure.eps": b"%!PS-Adobe-3.0 EPSF-3.0\n",
        "wave.webp": b"RIFF\x24\0\0\0WAVEfmt " + bytes(40),
        "scan.jp2": b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(40),
        "grey.ppm": b"P5 2 2 255\n" + bytes(4),
        "random.jpg": b"\x07" + mixed,
        "one-byte.jpg": b"\0",
        "zeros.png": bytes(500),
    }
    return [OddFile("empty.jpg", b"", EMPTY)] + [
        OddFile(name, data, UNSUPPORTED) for name, data in kinds.items()
    ]


def _modes() -> list[OddFile]:
    deep = struct.pack(">12H", *range(0, 60_000, 5_000))
    palette = saved(photo("P"), "PNG", transparency=bytes(range(256)))
    files = {
        "grey.jpg": saved(photo("L"), "JPEG"),
        "cmyk.jpg": saved(photo("CMYK"), "JPEG"),
        "progressive.jpg": saved(photo(), "JPEG", progressive=True),
        "grey-alpha.png": saved(photo("LA"), "PNG"),
        "alpha.png": saved(photo("RGBA"), "PNG"),
        "alpha.webp": saved(photo("RGBA"), "WEBP"),
        "alpha.avif": saved(photo("RGBA"), "AVIF"),
        "lossless.webp": saved(photo(), "WEBP", lossless=True),
        "one-bit.png": saved(photo("1"), "PNG"),
        "one-bit.bmp": saved(photo("1"), "BMP"),
        "palette.png": saved(photo("P"), "PNG"),
        "palette.bmp": saved(photo("P"), "BMP"),
        "palette-transparent.png": palette,
        "palette-transparent.gif": saved(photo("P"), "GIF", transparency=3),
        "grey-16-bit.png": png(4, 3, 16, 0, deep),
        "grey-16-bit-transparent.png": png(4, 3, 16, 0, deep, chunk(b"tRNS", b"\0\0")),
        "rgb-16-bit.png": png(2, 2, 16, 2, deep),
        "rgb-transparent.png": png(1, 1, 8, 2, b"\1\2\3", chunk(b"tRNS", b"\0\1\0\2\0\3")),
        "thin.png": saved(photo(size=(1, 10_000)), "PNG"),
        "flat.jpg": saved(photo(size=(10_000, 1)), "JPEG"),
    }
    one = Image.new("RGB", (1, 1), "red")
    files |= {f"one-pixel.{end}": saved(one, form) for form, end in FORMATS.items()}
    return [OddFile(name, data, None) for name, data in files.items()]


def _wrappings() -> list[OddFile]:
    frames = [photo("RGB"), Image.new("RGB", (40, 30), "red")]
    moving: dict[str, object] = {"save_all": True, "append_images": frames[1:], "duration": 50}
    jpeg, text = _whole("JPEG"), PngImagePlugin.PngInfo()
    text.add_text("note", "x" * 5_000)
    thumbnail = b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0" + saved(photo(size=(8, 8)), "JPEG")
    looping = b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\1" * 9
    files = {
        "two-pictures.jpg": saved(frames[0], "MPO", save_all=True, append_images=frames[1:]),
        "really-a-png.jpg": _whole("PNG"),
        "really-a-jpeg.png": jpeg,
        **{
            f"animated.{FORMATS[form]}": saved(frames[0], form, **moving)
            for form in ("GIF", "WEBP", "PNG", "AVIF")
        },
        **{f"orientation-{n}.jpg": saved(photo(), "JPEG", exif=exif_tiff(n)) for n in range(1, 9)},
        "orientation-6.png": saved(photo(), "PNG", exif=exif_tiff(6)),
        "orientation-6.webp": saved(photo(), "WEBP", exif=exif_tiff(6)),
        "orientation-6.avif": saved(photo(), "AVIF", exif=exif_tiff(6)),
        "orientation-99.jpg": saved(photo(), "JPEG", exif=exif_tiff(99)),
        "broken-exif.jpg": with_segment(jpeg, 0xE1, b"Exif\0\0II*\0\xff\xff\xff\xff"),
        "looping-exif.jpg": with_segment(jpeg, 0xE1, looping),
        "thumbnail.jpg": with_segment(jpeg, 0xE1, thumbnail),
        "broken-mpo.jpg": with_segment(jpeg, 0xE2, b"MPF\0II*\0\x08\0\0\0\xff\xff" + bytes(30)),
        "broken-profile.jpg": with_segment(jpeg, 0xE2, b"ICC_PROFILE\0\1\7" + bytes(30)),
        "broken-profile.png": saved(photo(), "PNG", icc_profile=b"no profile"),
        "broken-profile.webp": saved(photo(), "WEBP", icc_profile=b"no profile"),
        "text.png": saved(photo(), "PNG", pnginfo=text),
        **{
            f"trailing-garbage.{end}": _whole(form) + b"garbage" * 20
            for form, end in FORMATS.items()
            if form != "AVIF"
        },
    }
    return [OddFile(name, data, None) for name, data in files.items()]


def _damaged() -> list[OddFile]:
    def flipped(form: str) -> bytes:
        data = _whole(form)
        at = len(data) * 3 // 4
        return replaced(data, at, bytes(b ^ 0x55 for b in data[at : at + 12]))

    jpeg, bmp = _whole("JPEG"), _whole("BMP")
    frame = jpeg.index(b"\xff\xc0")
    return [
        OddFile("flipped.png", flipped("PNG"), CORRUPT),
        OddFile("flipped.jpg", flipped("JPEG"), None),  # a smear, not a fault
        OddFile("flipped.bmp", flipped("BMP"), None),
        OddFile("no-width.png", png_of(0, 5, 8, 2, b""), CORRUPT),
        OddFile("no-height.jpg", replaced(jpeg, frame + 5, b"\0\0"), CORRUPT),
        OddFile("no-size.bmp", replaced(bmp, 18, bytes(8)), CORRUPT),
        OddFile("no-picture.gif", b"GIF89a\x02\0\x02\0\0\0\0;", CORRUPT),
        OddFile("no-tables.jpg", jpeg[:2] + jpeg[frame:], CORRUPT),
        OddFile("two-frame-headers.jpg", with_segment(jpeg, 0xC0, bytes(15)), CORRUPT),
        OddFile("lossless.jpg", replaced(jpeg, frame, b"\xff\xc3"), CORRUPT),
        OddFile("twelve-bits.jpg", replaced(jpeg, frame + 4, b"\x0c"), CORRUPT),
        OddFile("impossible-depth.png", png_of(2, 2, 7, 2, b""), CORRUPT),
        OddFile("no-pixels.png", png_of(2, 2, 8, 2, zlib.compress(b"")), TRUNCATED),
        OddFile("no-deflate.png", png_of(2, 2, 8, 2, b"not deflated"), CORRUPT),
        OddFile("no-meta.avif", b"\0\0\0\x14ftypavif\0\0\0\0avif", CORRUPT),
        OddFile("only-a-header.webp", b"RIFF\x0c\0\0\0WEBPVP8 ", TRUNCATED),
    ]


_KINDS: list[Callable[[], list[OddFile]]] = [
    _truncated,
    _bombs,
    _strangers,
    _modes,
    _wrappings,
    _damaged,
]

ODD_FILES: list[OddFile] = [odd for kind in _KINDS for odd in kind()]

"""Decodes photos to upright RGB images on white, reduced where full size is not needed."""

import math
import re
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, PngImagePlugin
from PIL.JpegImagePlugin import JpegImageFile

from indexer.errors import (
    BadParameterError,
    CorruptImageError,
    EmptyImageError,
    ImageError,
    ImageTooLargeError,
    TruncatedImageError,
    UnsupportedFormatError,
)
from indexer.images.avif import avif_memory
from indexer.images.memory import MEMORY, MIB, gate
from indexer.images.recognition import recognise

# Photos up to this size are decoded in full; larger ones are reduced to at most this size,
# which is still more than ten times the model's input.
FULL_PIXELS = 2**22

# Pillow warns about damaged metadata; only the orientation is used.
warnings.filterwarnings("ignore", module=r"PIL\.")
# `ImageLimits` is checked once a file is open. Opening a GIF may allocate a frame of twice this
# size at a byte per pixel; opening a WebP allocates two canvases; other formats allocate nothing.
Image.MAX_IMAGE_PIXELS = MEMORY // 2
_TO_OPEN = {"GIF": MEMORY, "WEBP": MEMORY // 2}
PngImagePlugin.MAX_TEXT_MEMORY = 4 * MIB  # in characters of up to four bytes

_MAX_SIDE = 65_535  # pixels; a JPEG or GIF cannot have more
_MAX_SCANNED_PIXELS = 1_000_000_000  # scans x pixels of a progressive JPEG: about 3 seconds
_MAX_JPEG_SEGMENTS = 20_000  # Pillow keeps them all: up to 600 MiB for a file of 20 MiB
_STRIP_PIXELS = 2**18

_SEGMENT = re.compile(rb"\xff[\xe0-\xff]")

# Memory of a decoder for the whole picture. WebP: two canvases, the decoder's buffer, the copy
# passed to Python, and Pillow's copy; 17.3 measured.
_BYTES_PER_PIXEL = {"PNG": 4, "GIF": 3, "BMP": 4, "WEBP": 17}

# A file that fails to decode and lacks this marker near its end is truncated.
_END = {"JPEG": b"\xff\xd9", "PNG": b"IEND", "GIF": b"\0;"}

Box = tuple[float, float, float, float]  # x1, y1, x2, y2 as fractions of a picture's sides


@dataclass(frozen=True)
class ImageLimits:
    """Maximum size of a photo. 52 million pixels admit a phone's "50 MP" photos."""

    max_bytes: int = 20 * MIB
    max_pixels: int = 52_000_000


def decode(
    data: bytes, limits: ImageLimits = ImageLimits(), min_side: int | None = None
) -> Image.Image:
    """Decodes a photo to an upright RGB image on white, without metadata.

    Uses the first frame of an animation. Reduces photos of more than `FULL_PIXELS` pixels by an
    integer factor. Blocks while the decodes of other threads fill `MEMORY`.

    Args:
        data: the bytes of the file.
        limits: maximum size of the photo.
        min_side: allows a reduction that leaves both sides at least this long, in pixels, which
            is faster; None keeps photos of up to `FULL_PIXELS` pixels in full size.

    Raises:
        EmptyImageError: `data` is empty.
        UnsupportedFormatError: `data` is not an image in a supported format.
        TruncatedImageError: the file ends early.
        CorruptImageError: the file is damaged.
        ImageTooLargeError: the photo exceeds `limits`, or decoding it takes too much memory.
    """
    if len(data) > limits.max_bytes:
        raise _too_many_bytes(len(data), limits)
    form = recognise(data)
    if form == "AVIF":  # an animation is read as the still picture it contains
        data = data[:8] + b"avif" + data[12:]
    with _errors_explained(form, data, limits):
        with gate.hold(_TO_OPEN.get(form, 0)):
            needed = _memory_needed(form, data, limits)
        with gate.hold(needed):
            return _render(form, data, min_side)


@contextmanager
def _errors_explained(form: str, data: bytes, limits: ImageLimits) -> Iterator[None]:
    """Translates what Pillow raises to an ImageError."""
    try:
        yield
    except ImageError:
        raise
    except Image.DecompressionBombError:  # raised on opening, before the size is known
        raise ImageTooLargeError(
            f"the {form} photo is too large; at most {limits.max_pixels:,} pixels are accepted:"
            " send a smaller one"
        ) from None
    except MemoryError:
        raise ImageTooLargeError(
            f"not enough memory to decode the {form} photo; send a smaller one"
        ) from None
    except Exception as error:  # Pillow documents no base class for what its decoders raise
        if _was_cut(form, data, error):
            raise TruncatedImageError(
                f"the {form} photo is cut off after {len(data)} bytes; send it whole"
            ) from error
        raise CorruptImageError(f"the {form} photo is damaged; save it again") from error


def reduced(image: Image.Image, min_side: int | None) -> Image.Image:
    """Reduces a decoded photo by an integer factor, as `decode` does for this `min_side`."""
    factor = _reduction(image, min_side)
    return image.reduce(factor) if factor > 1 else image


def read_photo(path: Path, limits: ImageLimits) -> bytes:
    """Reads the photo at `path`, after checking its size.

    Errors do not contain the path, because users know the photo by its name in the feed.

    Raises:
        EmptyImageError: the file is empty.
        ImageTooLargeError: the file is larger than `limits.max_bytes`.
        ImageError: there is no readable file.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ImageError("not a regular file; use the path of a photo")
        if status.st_size > limits.max_bytes:
            raise _too_many_bytes(status.st_size, limits)
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        windows = isinstance(error, FileNotFoundError) and "\\" in str(path)
        advice = "use / instead of \\" if windows else "check that the file exists and is readable"
        raise ImageError(f"cannot be read: {reason}; {advice}") from error
    if not data:
        raise EmptyImageError("the file is empty; replace it")
    return data


def crop(image: Image.Image, box: Box) -> Image.Image:
    """Returns the part of `image` inside `box`, at least one pixel.

    Raises:
        BadParameterError: not 0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1.
    """
    x1, y1, x2, y2 = box
    if not (0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1):
        raise BadParameterError(
            f"box: received {','.join(map(str, box))}; must be x1,y1,x2,y2 with"
            " 0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1"
        )
    width, height = image.size
    left, top = min(int(x1 * width), width - 1), min(int(y1 * height), height - 1)
    right, bottom = math.ceil(x2 * width), math.ceil(y2 * height)
    return image.crop((left, top, max(right, left + 1), max(bottom, top + 1)))


def _too_many_bytes(size: int, limits: ImageLimits) -> ImageTooLargeError:
    return ImageTooLargeError(
        f"the photo has {size:,} bytes; at most {limits.max_bytes:,} are accepted:"
        " send a smaller one"
    )


def _was_cut(form: str, data: bytes, error: Exception) -> bool:
    if form == "WEBP":
        return int.from_bytes(data[4:8], "little") + 8 > len(data)
    return "truncated" in str(error).lower() or _END.get(form, b"") not in data[-64:]


def _memory_needed(form: str, data: bytes, limits: ImageLimits) -> int:
    """Returns the bytes that decoding takes.

    Raises:
        ImageTooLargeError: the photo exceeds the limits, or needs too much memory.
        UnsupportedFormatError: the file has a variant of the format that is not supported.
    """
    if form == "JPEG" and any(islice(_SEGMENT.finditer(data), _MAX_JPEG_SEGMENTS, None)):
        raise CorruptImageError(f"the JPEG has over {_MAX_JPEG_SEGMENTS:,} segments; save it again")
    stream = BytesIO(data)
    with Image.open(stream, formats=[form]) as image:
        pixels = image.width * image.height
        name = f"the {form} photo of {image.width}x{image.height} pixels"
        if pixels > limits.max_pixels or max(image.size) > _MAX_SIDE:
            raise ImageTooLargeError(
                f"{name} is too large; at most {limits.max_pixels:,} pixels"
                f" and {_MAX_SIDE:,} on a side are accepted: send a smaller one"
            )
        if form == "BMP" and image.info["compression"] in (1, 2):  # Pillow expands in Python
            raise UnsupportedFormatError("this BMP is run-length encoded; send JPEG or PNG")
        if form == "AVIF":
            held = avif_memory(data, pixels)
        elif isinstance(image, JpegImageFile):
            # Pillow has read up to the first scan.
            held = _jpeg_memory(image, scans=1 + data.count(b"\xff\xda", stream.tell()))
        else:
            held = _BYTES_PER_PIXEL[form] * pixels
    needed = held + 8 * min(pixels, FULL_PIXELS)
    if needed > MEMORY:
        raise ImageTooLargeError(
            f"{name} takes {needed // MIB} MiB to decode, of {MEMORY // MIB}"
            " allowed: send a smaller one, or a baseline JPEG"
        )
    return needed


def _jpeg_memory(image: JpegImageFile, scans: int) -> int:
    """Returns the bytes of the 16-bit coefficients that libjpeg keeps for several scans."""
    if scans == 1 and "progressive" not in image.info:
        return 0
    pixels = image.width * image.height
    if scans * pixels > _MAX_SCANNED_PIXELS:
        raise ImageTooLargeError(
            f"the JPEG has {scans} scans, too many for its size: send a baseline JPEG"
        )
    sampling = [(across, down) for _, across, down, _ in image.layer]
    whole = max(across for across, _ in sampling) * max(down for _, down in sampling)
    return 2 * pixels * sum(across * down for across, down in sampling) // whole


def _render(form: str, data: bytes, min_side: int | None) -> Image.Image:
    with Image.open(BytesIO(data), formats=[form]) as image:
        factor, width = _reduction(image, min_side), image.width
        size = max(1, width // factor), max(1, image.height // factor)
        if factor > 1 and (drafted := image.draft(None, size)):
            _, (_, _, new_width, _) = drafted  # before rounding up
            factor //= round(width / new_width)
        image.load()
        result = _flattened(image, factor)
        try:
            turn = image.getexif().get(ExifTags.Base.Orientation, 1)
        except Exception:  # the picture is usable without its metadata
            return result
    result.getexif()[ExifTags.Base.Orientation] = turn
    ImageOps.exif_transpose(result, in_place=True)
    return result


def _reduction(image: Image.Image, min_side: int | None) -> int:
    factor = 1
    while -(-image.width // factor) * -(-image.height // factor) > FULL_PIXELS:
        factor *= 2
    while min_side is not None and min(image.size) >= 2 * factor * min_side:
        factor *= 2
    return factor


def _flattened(image: Image.Image, factor: int) -> Image.Image:
    """Converts `image` to RGB on white, reduced by `factor`, in strips to save memory."""
    if factor == 1 and image.mode == "RGB" and not image.has_transparency_data:
        result = image.copy()
        result.info = {}
        return result
    width, height = image.size
    result = Image.new("RGB", (-(-width // factor), -(-height // factor)), "white")
    step = factor * max(1, _STRIP_PIXELS // (width * factor))
    for top in range(0, height, step):
        strip = _to_rgb(image.crop((0, top, width, min(top + step, height))))
        result.paste(strip.reduce(factor) if factor > 1 else strip, (0, top // factor))
    return result


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        transparent = image.info.get("transparency")
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
        if transparent is not None:
            image.info["transparency"] = transparent >> 8
    if not image.has_transparency_data:
        return image.convert("RGB")
    rgba = image.convert("RGBA")
    white = Image.new("RGB", image.size, "white")
    white.paste(rgba, mask=rgba)
    return white

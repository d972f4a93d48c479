"""Bytes to RGB images on white, upright and no larger than needed."""

import math
import re
import stat
import warnings
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

# Pictures up to this size are decoded exactly; larger ones come out reduced to at most
# this size, which is still more than ten times the network's input.
FULL_PIXELS = 2**22

# Pillow warns of damaged metadata, of which nothing is used but the orientation.
warnings.filterwarnings("ignore", module=r"PIL\.")
# Our own limits are checked once a file is open. Opening a GIF may fill a frame, a byte per
# pixel, of twice this; opening a WebP allocates two canvases. The others take nothing.
Image.MAX_IMAGE_PIXELS = MEMORY // 2
_TO_OPEN = {"GIF": MEMORY, "WEBP": MEMORY // 2}
PngImagePlugin.MAX_TEXT_MEMORY = 4 * MIB  # in characters of up to four bytes

_MAX_SIDE = 65_535  # pixels; a JPEG or GIF cannot have more
_MAX_SCANNED_PIXELS = 1_000_000_000  # scans x pixels of a progressive JPEG: about 3 seconds
_MAX_JPEG_SEGMENTS = 20_000  # Pillow keeps them all: 600 MiB of a file of 20 MiB
_STRIP_PIXELS = 2**18

_SEGMENT = re.compile(rb"\xff[\xe0-\xff]")

# What a decoder holds of the whole picture. WebP: two canvases, the decoder's own, the copy
# handed to Python and Pillow's: 17.3 measured.
_BYTES_PER_PIXEL = {"PNG": 4, "GIF": 3, "BMP": 4, "WEBP": 17}

# A file that fails without this in its last bytes was cut.
_END = {"JPEG": b"\xff\xd9", "PNG": b"IEND", "GIF": b"\0;"}


# x1, y1, x2, y2 as fractions of a picture's sides.
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class ImageLimits:
    """What a photo may have at most; 52 million pixels let through a phone's "50 MP"."""

    max_bytes: int = 20 * MIB
    max_pixels: int = 52_000_000


def decode(
    data: bytes, limits: ImageLimits = ImageLimits(), enough: int | None = None
) -> Image.Image:
    """The photo in `data` as an upright RGB image on white, without metadata.

    Of an animation the first frame. Photos of more than `FULL_PIXELS` pixels come
    out smaller by a whole factor; others too, if no side is shorter than `enough` pixels then,
    which is faster. Waits while other threads' decodes fill `MEMORY`.

    Raises EmptyImageError, UnsupportedFormatError, TruncatedImageError,
    CorruptImageError or ImageTooLargeError, and nothing else.
    """
    if len(data) > limits.max_bytes:
        raise _too_many_bytes(len(data), limits)
    form = recognise(data)
    if form == "AVIF":  # an animation is read as the still picture that it also has
        data = data[:8] + b"avif" + data[12:]
    try:
        with gate.hold(_TO_OPEN.get(form, 0)):
            needed = _memory_needed(form, data, limits)
        with gate.hold(needed):
            return _render(form, data, enough)
    except ImageError:
        raise
    except Image.DecompressionBombError:  # before it could be asked for its size
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


def reduced(image: Image.Image, enough: int | None) -> Image.Image:
    """Makes a decoded photo smaller by a whole factor, as `decode` does for this `enough`."""
    factor = _reduction(image, enough)
    return image.reduce(factor) if factor > 1 else image


def read_photo(path: Path, limits: ImageLimits) -> bytes:
    """The bytes of the photo at `path`, whose size is checked before they are read.

    Errors do not name the path: a reader knows the photo by what the feed calls it.

    Raises ImageError if there is no readable file, EmptyImageError, ImageTooLargeError.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ImageError("not a file; name a photo")
        if status.st_size > limits.max_bytes:
            raise _too_many_bytes(status.st_size, limits)
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ImageError(
            f"cannot be read: {reason}; check that the file exists and may be read"
        ) from error
    if not data:
        raise EmptyImageError("the file is empty; put the photo there again")
    return data


def crop(image: Image.Image, box: Box) -> Image.Image:
    """The part of `image` inside `box`.

    At least one pixel. Raises BadParameterError unless 0 <= x1 < x2 <= 1, y likewise.
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
    """Bytes that decoding will take. Raises ImageTooLargeError or UnsupportedFormatError."""
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
    """Bytes of the 16-bit coefficients that libjpeg keeps if there are several scans."""
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


def _render(form: str, data: bytes, enough: int | None) -> Image.Image:
    with Image.open(BytesIO(data), formats=[form]) as image:
        factor = _reduction(image, enough)
        if factor > 1:
            image.draft(None, (max(1, image.width // factor), max(1, image.height // factor)))
        image.load()
        result = _flattened(image, _reduction(image, enough))
        try:
            turn = image.getexif().get(ExifTags.Base.Orientation, 1)
        except Exception:  # damaged metadata does not spoil the picture
            return result
    result.getexif()[ExifTags.Base.Orientation] = turn
    ImageOps.exif_transpose(result, in_place=True)
    return result


def _reduction(image: Image.Image, enough: int | None) -> int:
    factor = 1
    while -(-image.width // factor) * -(-image.height // factor) > FULL_PIXELS:
        factor *= 2
    while enough is not None and min(image.size) >= 2 * factor * enough:
        factor *= 2
    return factor


def _flattened(image: Image.Image, factor: int) -> Image.Image:
    """`image` as RGB on white, `factor` times smaller; by strips, so that memory stays small."""
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

"""Small pictures for pages."""

import base64
from collections.abc import Callable
from io import BytesIO

from indexer.errors import ImageError
from indexer.images import Box, ImageLimits, crop, decode

_SIDE = 120  # pixels
_QUALITY = 70  # of JPEG: about 4 KB for each picture


def thumbnail(read: Callable[[], bytes], limits: ImageLimits, box: Box | None = None) -> str:
    """Returns a small JPEG as a `data:` URI; empty if the photo cannot be read.

    Args:
        read: returns the bytes of the file; raises an ImageError if it cannot.
        limits: maximum size of the photo.
        box: the part to show; None shows all of it.
    """
    try:
        image = decode(read(), limits, None if box else 2 * _SIDE)
    except ImageError:
        return ""
    image = crop(image, box) if box else image
    image.thumbnail((_SIDE, _SIDE))
    file = BytesIO()
    image.save(file, "JPEG", quality=_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"

"""Resizes a photo of any shape to the square input of a model."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

ResizeMethod = Literal["nearest", "bilinear", "letterbox"]


def resize(image: Image.Image, side: int, method: ResizeMethod) -> NDArray[np.uint8]:
    """Resizes an RGB image to a C-contiguous uint8 array (side, side, 3).

    `nearest` is what Keras's `load_img(target_size=...)` does; it ignores the aspect ratio.
    `bilinear` does the same with antialiasing. `letterbox` keeps the aspect ratio, antialiased
    and centred on white, like product photos.
    """
    match method:
        case "nearest":
            square = image.resize((side, side), Image.Resampling.NEAREST)
        case "bilinear":
            square = image.resize((side, side), Image.Resampling.BILINEAR)
        case "letterbox":
            square = _letterbox(image, side)
    return np.array(square, dtype=np.uint8, order="C")


def _letterbox(image: Image.Image, side: int) -> Image.Image:
    longest = max(image.size)
    width, height = (max(1, round(length * side / longest)) for length in image.size)
    square = Image.new("RGB", (side, side), "white")
    small = image.resize((width, height), Image.Resampling.BILINEAR)
    square.paste(small, ((side - width) // 2, (side - height) // 2))
    return square

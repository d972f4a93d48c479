"""From a photo of any shape to the square that a network takes."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

ResizeMethod = Literal["nearest", "bilinear", "letterbox"]


def resize(image: Image.Image, side: int, method: ResizeMethod) -> NDArray[np.uint8]:
    """The RGB `image` as a C-contiguous uint8 array (side, side, 3).

    nearest: what Keras's `load_img(target_size=...)` does, and so the vectors of the
    proof of concept; the aspect ratio is lost. bilinear: the same, antialiased.
    letterbox: antialiased, the aspect ratio kept, centred on white as product photos are.
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

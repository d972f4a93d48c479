"""How good a photo is as a photo, and its perceptual hash."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from indexer.images import ImageLimits, decode

# Thresholds, measured in docs/decisions/audit.md.
MIN_SIDE = 100  # pixels; what Google Merchant Center requires of photos other than of clothing
MIN_CONTRAST = 3.0
MAX_BLUR = 0.18

_SIDE = 256  # pixels of the longer side at which blur is measured
_CELLS = 16  # in which contrast is measured: noise averages out
_WINDOW = 9  # pixels of the filter that blurs again
_HASHED = 32
_FREQUENCIES = 8

Grey = NDArray[np.float64]  # (height, width), 0 to 255


@dataclass(frozen=True)
class Look:
    """Measures of one photo.

    Attributes:
        side: of the shorter side, in pixels; exact below 256.
        contrast: standard deviation of the cells of a 16 x 16 grid, of the colour channel in which
            it is highest; 0 to 127.5.
        blur: 0 for the sharpest to 1.
        hash: of 63 bits; those of copies differ in few of them.
    """

    side: int
    contrast: float
    blur: float
    hash: int


def look(data: bytes, limits: ImageLimits) -> Look:
    """Decodes a photo, reduced, and measures it.

    Raises:
        ImageError: the photo cannot be used.
    """
    image = decode(data, limits, _SIDE)
    side = min(image.size)
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.BOX)
    cells = np.asarray(image.resize((_CELLS, _CELLS), Image.Resampling.BOX), np.float64)
    grey = image.convert("L")
    return Look(
        side, float(cells.std(axis=(0, 1)).max()), blur(np.asarray(grey, np.float64)), _hash(grey)
    )


def blur(grey: Grey) -> float:
    """Returns how blurred a picture is: how little blurring it again changes the steps in it.

    F. Crété, T. Dolmière, P. Ladret and M. Nicolas, "The blur effect: perception and estimation
    with a new no-reference perceptual blur metric" (2007), with the squares of the steps, so that
    edges count more than shading. A plain background has no steps and does not count. The direction
    in which the picture is more blurred does.
    """
    return max(_blur_along(grey), _blur_along(grey.T))


def _blur_along(grey: Grey) -> float:
    padded = np.pad(grey, ((_WINDOW // 2, _WINDOW // 2), (0, 0)), "edge")
    sums = np.cumsum(np.concatenate([np.zeros((1, padded.shape[1])), padded]), axis=0)
    again = (sums[_WINDOW:] - sums[:-_WINDOW]) / _WINDOW
    steps, steps_again = np.diff(grey, axis=0) ** 2, np.diff(again, axis=0) ** 2
    total = steps.sum()
    return float(np.minimum(steps, steps_again).sum() / total) if total else 1.0


def _hash(grey: Image.Image) -> int:
    """Returns which of the lowest frequencies but the first are above their median.

    The DCT hash of C. Zauner, "Implementation and benchmarking of perceptual image hash functions"
    (2010).
    """
    pixels = np.asarray(grey.resize((_HASHED, _HASHED), Image.Resampling.BOX), np.float64)
    frequencies = (_COSINES @ pixels @ _COSINES.T).ravel()[1:]
    bits = frequencies > np.median(frequencies)
    return int("".join("01"[bit] for bit in bits.tolist()), 2)


_COSINES = np.cos(
    np.pi / _HASHED * (np.arange(_HASHED) + 0.5) * np.arange(_FREQUENCIES)[:, np.newaxis]
)

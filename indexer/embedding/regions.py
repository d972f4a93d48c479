"""Finds the product in a photo: the region most similar to something in the catalogue.

The photo is run through the model at two and three times the usual size. Pooling a window of
its last feature maps approximates the embedding of the region under the window, so two forward
passes score thousands of regions. The regions closest to a sample of the catalogue are then
embedded as a search would embed them, and the best one is compared with the whole photo.

Fully convolutional windows: Sermanet et al., OverFeat, arXiv 1312.6229. Boxes from the energy
of the feature maps alone (SCDA, arXiv 1604.04994) were measured to be far worse.
"""

from collections.abc import Iterator
from itertools import product

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from indexer.arrays import Scores, Vectors
from indexer.embedding import Embedder
from indexer.embedding.base import Maps
from indexer.images import Box, crop

AUTO = "auto"
# Catalogue vectors to compare with; with fewer, more photos are cropped that should not be.
SAMPLE = 1024
# The cost of locating a product with the default weights, in forward passes over one photo.
PASSES = 25

_SCALES = (2, 3)
# Smaller inputs have too few positions for windows: at side 64, windows of side 80 find the product
# in 11 of 100 cluttered photos more; those of side 96 cost a third more and find no more.
_MIN_SIDE = 80
_MAX_SIDE = 512  # pixels of the longest side; the first feature maps of more would fill the memory
_SIDES = (0.6, 0.8, 1.0, 1.2, 1.4)  # of a window, relative to the model's input
_STEPS = 5  # window positions per side of the model's input
_MAX_CANDIDATES = 4
_MAX_IOU = 0.4  # two windows that overlap more show the same thing
_GROWTH = 1.25  # windows are tight, product photos are not
# A crop must halve the distance of the whole photo to score 1: most photos show little besides
# their product, and cropping them makes the search worse.
_GAIN = 0.5
_MIN_GAIN = 0.02  # more than rounding changes a score close to 1

Boxes = NDArray[np.float64]  # (n, 4): x1, y1, x2, y2 as fractions of a picture's sides


def locate(image: Image.Image, embedder: Embedder, products: Vectors) -> Box | None:
    """Returns the box of the product in `image`; None if the whole photo matches better.

    Args:
        image: an RGB photo of any size.
        embedder: the model that made `products`.
        products: float32 (n, dimension), a sample of the catalogue's vectors.

    Raises:
        UnsupportedByModelError: the vectors of `embedder` are not the mean of feature maps.
    """
    embedder.required_cells()
    if not len(products):
        return None
    usual = max(embedder.spec.input_size, _MIN_SIDE)
    found = [
        _windows(_maps(image, embedder, min(scale * usual, _MAX_SIDE)), usual, embedder, products)
        for scale in _SCALES
    ]
    boxes, scores = (np.concatenate(parts) for parts in zip(*found, strict=True))
    tried = [_grown(box) for box in _distinct(boxes, scores)]
    vectors = embedder.embed([image, *(crop(image, box) for box in tried)])
    whole, *parts = (vectors @ products.T).max(axis=1).tolist()
    best = int(np.argmax(parts))
    needed = max(_GAIN * (1 - whole), _MIN_GAIN)
    return tried[best] if parts[best] - whole > needed else None


def _maps(image: Image.Image, embedder: Embedder, longest: int) -> Maps:
    """Computes the last feature maps (height, width, channels), keeping the aspect ratio."""
    scale, cells = longest / max(image.size), embedder.required_cells()
    width, height = (
        max(cells.fewest, round(side * scale / cells.side)) * cells.side for side in image.size
    )
    pixels = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))
    maps: Maps = embedder.activations(pixels[None])[0]
    return maps


def _windows(maps: Maps, usual: int, embedder: Embedder, products: Vectors) -> tuple[Boxes, Scores]:
    """Returns windows of about `usual` pixels, and their best score to a product."""
    cells = embedder.required_cells()
    extra = 1 if cells.max_pooled else 0  # a pooled value covers two cells in either direction
    if cells.max_pooled:
        maps = np.maximum(maps[:-1], maps[1:])
        maps = np.maximum(maps[:, :-1], maps[:, 1:])
    height, width, channels = maps.shape
    total = np.zeros((height + 1, width + 1, channels))
    total[1:, 1:] = maps.cumsum(axis=0, dtype=np.float64).cumsum(axis=1)
    rows = np.array(list(_places(height, width, usual // cells.side, extra)))
    y1, x1, y2, x2 = rows.T
    sums = total[y2, x2] - total[y1, x2] - total[y2, x1] + total[y1, x1]
    scores = (embedder.projected(sums) @ products.T).max(axis=1).astype(np.float64)
    sides = np.array([width + extra, height + extra] * 2)
    return np.stack([x1, y1, x2 + extra, y2 + extra], axis=1) / sides, scores


def _places(height: int, width: int, cells: int, extra: int) -> Iterator[tuple[int, int, int, int]]:
    """Yields windows of several sizes over the positions of maps: y1, x1, y2, x2."""
    step = max(1, cells // _STEPS)
    sides = sorted({max(1, round(cells * side) - extra) for side in _SIDES})
    for down, across in product(sides, repeat=2):
        down, across = min(down, height), min(across, width)
        for y, x in product(range(0, height - down + 1, step), range(0, width - across + 1, step)):
            yield y, x, y + down, x + across


def _distinct(boxes: Boxes, scores: Scores) -> Iterator[Boxes]:
    """Yields the best boxes that do not overlap much (non-maximum suppression), best first."""
    for _ in range(_MAX_CANDIDATES):
        if not len(boxes):
            return
        best = boxes[scores.argmax()]
        yield best
        other = iou(best, boxes) <= _MAX_IOU
        boxes, scores = boxes[other], scores[other]


def iou(box: NDArray[np.float64], boxes: Boxes) -> NDArray[np.float64]:
    """Computes the intersection over union of a box with each of `boxes`: float64 (n,)."""
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=1)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    union: NDArray[np.float64] = areas + np.prod(box[2:] - box[:2]) - shared
    return np.asarray(shared / union)


def _grown(box: NDArray[np.float64]) -> Box:
    centre, half = (box[:2] + box[2:]) / 2, _GROWTH * (box[2:] - box[:2]) / 2
    x1, y1, x2, y2 = np.concatenate([centre - half, centre + half]).clip(0, 1).round(4).tolist()
    return x1, y1, x2, y2

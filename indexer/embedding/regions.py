"""Where the product is in a photo: the part that looks most like something in the catalogue.

Seen at two and three times its usual size, a photo gives last maps whose windows, pooled, are
nearly what the network would make of the part of the photo below them: thousands of parts for
the price of two passes. The parts that come nearest to a sample of the catalogue are then
embedded as they would be searched with, and the best of them has to beat the whole photo.

Fully convolutional windows: Sermanet et al., OverFeat, arXiv 1312.6229. Boxes from the energy
of the maps alone (SCDA, arXiv 1604.04994) were measured to be far worse.
"""

from collections.abc import Iterator
from itertools import product

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from indexer.arrays import Scores, Vectors, normalised
from indexer.embedding import Embedder
from indexer.embedding.base import CELL, Maps
from indexer.images import Box, crop

AUTO = "auto"
# Vectors of the catalogue to compare with; with fewer, more photos are cut that should not be.
SAMPLE = 1024
# What locating costs, in passes of the network over one photo.
PASSES = 18

_ENLARGED = (2, 3)
_LARGEST = 512  # pixels of the longest side; the first maps of more would fill the memory
_SIDES = (0.6, 0.8, 1.0, 1.2, 1.4)  # of a window, to the network's input
_STEPS = 5  # of a window to its neighbour, per side of the network's input
_TRIED = 4
_OVERLAP = 0.4  # intersection over union beyond which two windows are of one thing
_GROWTH = 1.25  # windows are tight, photos of products are not
# A part must make up for so much of what the whole photo lacks to the score 1. Most photos show
# little but their product, and lose by being cut.
_GAIN = 0.5
_LEAST_GAIN = 0.02  # beyond what rounding does to a score that is nearly 1

Boxes = NDArray[np.float64]  # (n, 4): x1, y1, x2, y2 as fractions of a picture's sides


def locate(image: Image.Image, embedder: Embedder, products: Vectors) -> Box | None:
    """The part of `image` that shows a product; None if the whole does so better.

    Args:
        products: (n, dimension), vectors of what counts as one.
    """
    if not len(products):
        return None
    usual = embedder.spec.input_size
    found = [
        _windows(_maps(image, embedder, min(times * usual, _LARGEST)), usual, products)
        for times in _ENLARGED
    ]
    boxes, scores = (np.concatenate(parts) for parts in zip(*found, strict=True))
    tried = [_grown(box) for box in _apart(boxes, scores)]
    vectors = embedder.embed([image, *(crop(image, box) for box in tried)])
    whole, *parts = (vectors @ products.T).max(axis=1).tolist()
    best = int(np.argmax(parts))
    needed = max(_GAIN * (1 - whole), _LEAST_GAIN)
    return tried[best] if parts[best] - whole > needed else None


def _maps(image: Image.Image, embedder: Embedder, longest: int) -> Maps:
    """The last maps (height, width, channels) of the photo, its proportions kept."""
    scale = longest / max(image.size)
    # Two cells at least, because the pooling takes two by two.
    width, height = (max(2, round(side * scale / CELL)) * CELL for side in image.size)
    pixels = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))
    maps: Maps = embedder.activations(pixels[None])[0]
    return maps


def _windows(maps: Maps, usual: int, products: Vectors) -> tuple[Boxes, Scores]:
    """Parts of the photo about as large as the usual input, and how near each is to a product."""
    pooled = np.maximum(maps[:-1], maps[1:])
    pooled = np.maximum(pooled[:, :-1], pooled[:, 1:])
    height, width, channels = pooled.shape
    total = np.zeros((height + 1, width + 1, channels))
    total[1:, 1:] = pooled.cumsum(axis=0, dtype=np.float64).cumsum(axis=1)
    rows = np.array(list(_places(height, width, usual // CELL)))
    y1, x1, y2, x2 = rows.T
    sums = total[y2, x2] - total[y1, x2] - total[y2, x1] + total[y1, x1]
    sums[~sums.any(axis=1)] = 1  # nothing excites the network there
    scores = (normalised(sums) @ products.T).max(axis=1).astype(np.float64)
    # A pooled value stands for two cells.
    sides = np.array([width + 1, height + 1] * 2)
    return np.stack([x1, y1, x2 + 1, y2 + 1], axis=1) / sides, scores


def _places(height: int, width: int, cells: int) -> Iterator[tuple[int, int, int, int]]:
    """Windows of several sides over pooled maps: y1, x1, y2, x2."""
    step = max(1, cells // _STEPS)
    sides = sorted({max(1, round(cells * side) - 1) for side in _SIDES})
    for down, across in product(sides, repeat=2):
        down, across = min(down, height), min(across, width)
        for y, x in product(range(0, height - down + 1, step), range(0, width - across + 1, step)):
            yield y, x, y + down, x + across


def _apart(boxes: Boxes, scores: Scores) -> Iterator[Boxes]:
    """The best boxes that are not of the same thing, best first."""
    for _ in range(_TRIED):
        if not len(boxes):
            return
        best = boxes[scores.argmax()]
        yield best
        other = iou(best, boxes) <= _OVERLAP
        boxes, scores = boxes[other], scores[other]


def iou(box: NDArray[np.float64], boxes: Boxes) -> NDArray[np.float64]:
    """Intersection over union of a box with each of several."""
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=1)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    union: NDArray[np.float64] = areas + np.prod(box[2:] - box[:2]) - shared
    return np.asarray(shared / union)


def _grown(box: NDArray[np.float64]) -> Box:
    centre, half = (box[:2] + box[2:]) / 2, _GROWTH * (box[2:] - box[:2]) / 2
    x1, y1, x2, y2 = np.concatenate([centre - half, centre + half]).clip(0, 1).round(4).tolist()
    return x1, y1, x2, y2

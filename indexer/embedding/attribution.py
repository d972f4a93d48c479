"""Attribution: how much each position of a photo contributes to its similarity with another.

An embedding is a mean over positions, scaled to length 1, so its inner product with another
embedding is a sum over positions: Zhou et al., arXiv 1512.04150; for two photos, Stylianou et
al., "Visualizing Deep Similarity Networks", arXiv 1901.00536. A linear layer after the mean leaves
it a sum. VGG16 max-pools 2 x 2 positions before the mean; each pooled value is attributed to the
position it came from.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from indexer.arrays import Vector
from indexer.embedding import Embedder
from indexer.embedding.base import Cells, Maps
from indexer.embedding.head import Head
from indexer.embedding.resize import resize

# A grid at the model's own input size sums to the score of a search, but is coarse: 4 x 4 positions
# at side 64. At twice the size it shows the place better, but its sum follows the score less. Their
# mean does both better than a single size in between: docs/decisions/box-auto.md.
_SCALES = (1, 2)
# The cost of two grids, in forward passes over one photo.
PASSES = 2 * sum(scale**2 for scale in _SCALES)

Grid = NDArray[np.float64]  # (height, width)


def explain(photo: Image.Image, other: Vector, embedder: Embedder) -> Grid:
    """Returns the contributions of each position of an RGB photo to its cosine with `other`.

    The grid, float64 (height, width), covers the whole photo. It is the mean of grids at two sizes
    of the photo, and sums to the mean of their cosines with `other`.

    Raises:
        UnsupportedByModelError: the vectors of `embedder` are not the mean of feature maps.
    """
    cells = embedder.required_cells()
    step = 2 if cells.max_pooled else 1  # max-pooling ignores an odd last position
    usual = round(embedder.spec.input_size / cells.side / step)
    positions = step * max(1, usual, -(-cells.fewest // step))
    coarse, fine = (_grid(photo, other, embedder, scale * positions) for scale in _SCALES)
    spread = np.ones((2, 2)) / 4  # of a coarse position over the fine ones that it covers
    return (np.kron(coarse, spread) + fine) / 2


def _grid(photo: Image.Image, other: Vector, embedder: Embedder, positions: int) -> Grid:
    cells = embedder.required_cells()
    pixels = resize(photo, positions * cells.side, "bilinear")
    return contributions(embedder.activations(pixels[None])[0], other, cells, embedder.head)


def contributions(maps: Maps, other: Vector, cells: Cells, head: Head | None = None) -> Grid:
    """Returns the contribution of each position of the last feature maps to the cosine.

    All positions have an equal share of the contribution of the head's bias. All contributions are
    0 if the photo activates no channel of the model.
    """
    placed = _unpooled(maps) if cells.max_pooled else maps.astype(np.float64)
    total = placed.sum(axis=(0, 1))
    length = np.linalg.norm(total)
    if not length:
        return np.zeros(maps.shape[:2])
    target = other.astype(np.float64)
    grid: Grid
    if head is None:
        grid = placed @ target / length
        return grid
    kernel, bias = head.kernel.astype(np.float64), head.bias.astype(np.float64)
    grid = placed @ (kernel @ target) / length + bias @ target / placed[..., 0].size
    return grid / np.linalg.norm(total @ kernel / length + bias)


def _unpooled(maps: Maps) -> NDArray[np.float64]:
    """Returns the maps (height, width, channels) with only the maximum of each 2 x 2 block kept.

    Ties are shared equally. An odd last row or column is 0, because pooling ignores it.
    """
    height, width, channels = (maps.shape[0] // 2, maps.shape[1] // 2, maps.shape[2])
    seen = maps[: 2 * height, : 2 * width].astype(np.float64)
    cells = seen.reshape(height, 2, width, 2, channels)
    largest = cells == cells.max(axis=(1, 3), keepdims=True)
    kept = cells * largest / largest.sum(axis=(1, 3), keepdims=True)
    placed = np.zeros(maps.shape)
    placed[: 2 * height, : 2 * width] = kept.reshape(seen.shape)
    return placed

"""Where two photos agree: the part that each place of a photo has in their similarity.

An embedding is a mean over places, scaled to length 1, so its inner product with another is a
sum over places: Zhou et al., arXiv 1512.04150; for two photos, Stylianou et al., "Visualizing
Deep Similarity Networks", arXiv 1901.00536. Before the mean, the network takes of each two by
two places the larger value, channel by channel; that value is counted where it comes from.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from indexer.arrays import Vector
from indexer.embedding import Embedder
from indexer.embedding.base import CELL, Maps
from indexer.embedding.resize import resize

# At its usual size a photo of the fashion weights has 4 x 4 places that count. The more it is
# enlarged, the less the network sees what it sees in a search: cosines of 79 pairs correlate
# with those of the search by 0.99 at 1.2 times the size, 0.93 at 1.6 and 0.83 at 2.
_ENLARGED = 1.6
# What two grids cost, in passes of the network over one photo.
PASSES = 6

Grid = NDArray[np.float64]  # (height, width)


def explain(photo: Image.Image, other: Vector, embedder: Embedder) -> Grid:
    """Where an RGB photo of any size agrees with another one, given by its vector.

    The grid covers the whole photo and sums up to the cosine of the photo, enlarged, with `other`.
    """
    # Even, because an odd last place is not looked at.
    cells = 2 * max(1, round(_ENLARGED * embedder.spec.input_size / CELL / 2))
    pixels = resize(photo, cells * CELL, "bilinear")
    return contributions(embedder.activations(pixels[None])[0], other)


def contributions(maps: Maps, other: Vector) -> Grid:
    """What each place of a photo, given by its last maps, adds to its cosine with `other`.

    All are 0 for a photo that excites nothing in the network.
    """
    placed = _placed(maps)
    length = np.linalg.norm(placed.sum(axis=(0, 1)))
    grid: Grid = placed @ other.astype(np.float64)
    return grid / (length or 1)


def _placed(maps: Maps) -> NDArray[np.float64]:
    """The maps (height, width, channels) as the mean sees them: the largest of each two by two.

    The others are 0, as is an odd last row or column, which the network does not look at.
    Equal largest values share.
    """
    height, width, channels = (maps.shape[0] // 2, maps.shape[1] // 2, maps.shape[2])
    seen = maps[: 2 * height, : 2 * width].astype(np.float64)
    cells = seen.reshape(height, 2, width, 2, channels)
    largest = cells == cells.max(axis=(1, 3), keepdims=True)
    kept = cells * largest / largest.sum(axis=(1, 3), keepdims=True)
    placed = np.zeros(maps.shape)
    placed[: 2 * height, : 2 * width] = kept.reshape(seen.shape)
    return placed

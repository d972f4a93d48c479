"""Where two photos agree: the part that each place of a photo has in their similarity.

An embedding is a mean over places, scaled to length 1, so its inner product with another is a
sum over places: Zhou et al., arXiv 1512.04150; for two photos, Stylianou et al., "Visualizing
Deep Similarity Networks", arXiv 1901.00536. Before the mean, the network takes of each two by
two places the larger value, channel by channel; that value is counted where it comes from.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from indexer.arrays import Vector
from indexer.embedding import Embedder
from indexer.embedding.base import Maps, unit_rows
from indexer.embedding.resize import resize

# Seen at its usual size a photo has too few places to point at anything. At twice the size
# their similarity is about the same; beyond, the network sees less and less of the whole.
_ENLARGED = 2
# What explaining costs, in passes of the network over one photo.
PASSES = 2 * _ENLARGED**2

Grid = NDArray[np.float64]  # (height, width)


@dataclass(frozen=True)
class Explanation:
    """What each place of two photos adds to `similarity`; either grid sums up to it.

    Attributes:
        similarity: of the enlarged photos.
    """

    similarity: float
    query: Grid
    result: Grid


def explain(query: Image.Image, result: Image.Image, embedder: Embedder) -> Explanation:
    """Where two RGB photos of any sizes agree; a grid covers the whole of its photo."""
    side = _ENLARGED * embedder.spec.input_size
    photos = np.stack([resize(photo, side, "bilinear") for photo in (query, result)])
    query_maps, result_maps = embedder.activations(photos)
    query_vector, result_vector = unit_rows(
        np.stack([_placed(maps).sum(axis=(0, 1)) for maps in (query_maps, result_maps)])
    )
    return Explanation(
        float(query_vector.astype(np.float64) @ result_vector),
        contributions(query_maps, result_vector),
        contributions(result_maps, query_vector),
    )


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

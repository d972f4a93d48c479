"""From the bytes of a photo to what the network takes, and to vectors."""

import math
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from indexer.arrays import Vectors
from indexer.embedding import Embedder, EmbeddingSpec
from indexer.embedding.base import Pixels
from indexer.embedding.regions import locate
from indexer.embedding.resize import resize
from indexer.images import Box, ImageLimits, crop, decode

# A photo may lose so much of its size while it is decoded that its sides are still so many
# times the network's; Pillow calls 3 almost indistinguishable from none (`reducing_gap`).
# Cosine to the vector of the whole photo: mean 0.99998, least 0.9999; a quarter of the time.
_REDUCING_GAP = 3


def prepare(
    data: bytes, limits: ImageLimits, spec: EmbeddingSpec, box: Box | None = None
) -> Pixels:
    """The part `box` of the photo in `data` as uint8 (side, side, 3), RGB, for the network.

    Raises:
        ImageError: the photo cannot be used.
        BadParameterError: the box is none.
    """
    image = decode(data, limits, _enough(spec, box))
    return resize(image if box is None else crop(image, box), spec.input_size, spec.resize)


def _enough(spec: EmbeddingSpec, box: Box | None) -> int | None:
    """How long the shorter side of a photo has to stay; None if it has to stay as it is."""
    part = 1.0 if box is None else min(box[2] - box[0], box[3] - box[1])
    if spec.resize == "nearest" or not 0 < part <= 1:  # takes single pixels; is refused later
        return None
    return math.ceil(_REDUCING_GAP * spec.input_size / part)


class PhotoVectors(Protocol):
    """Makes vectors of photos; any number of threads may use one object."""

    def vectors(
        self, photos: Sequence[bytes], box: Box | None, took_ms: dict[str, float]
    ) -> Vectors:
        """The vectors (n, dimension) of the parts `box` of the photos, given as their files.

        Adds to `took_ms` what `decode`, `queue` and `embed` took, in milliseconds.

        Raises:
            ImageError: a photo cannot be used.
            BadParameterError: the box is none.
        """
        ...

    def located(
        self, photo: bytes, products: Callable[[], Vectors], took_ms: dict[str, float]
    ) -> Box | None:
        """The part of a photo that shows a product; None for all of it.

        Adds to `took_ms` as `vectors` does.

        Args:
            products: gives vectors (n, dimension) of what counts as one.

        Raises:
            ImageError: the photo cannot be used.
        """
        ...


class PlainPhotoVectors:
    """Decodes and embeds one query after the other, as a command does.

    Args:
        embedder: called when there is a photo to embed.
        limits: what a photo may cost.
    """

    def __init__(self, embedder: Callable[[], Embedder], limits: ImageLimits) -> None:
        self._embedder = embedder
        self._limits = limits

    def vectors(
        self, photos: Sequence[bytes], box: Box | None, took_ms: dict[str, float]
    ) -> Vectors:
        start = time.perf_counter()
        spec = self._embedder().spec
        pixels = [prepare(data, self._limits, spec, box) for data in photos]
        decoded = time.perf_counter()
        vectors = self._embedder().embed_batch(np.stack(pixels))
        took_ms["decode"] += 1000 * (decoded - start)
        took_ms["embed"] += 1000 * (time.perf_counter() - decoded)
        return vectors

    def located(
        self, photo: bytes, products: Callable[[], Vectors], took_ms: dict[str, float]
    ) -> Box | None:
        start = time.perf_counter()
        image = decode(photo, self._limits)
        decoded = time.perf_counter()
        box = locate(image, self._embedder(), products())
        took_ms["decode"] += 1000 * (decoded - start)
        took_ms["embed"] += 1000 * (time.perf_counter() - decoded)
        return box

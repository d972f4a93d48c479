"""Photos of queries as vectors."""

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from indexer.arrays import Vectors
from indexer.embedding import Embedder
from indexer.images import Box, ImageLimits, crop, decode
from indexer.localisation import locate


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
        images = [decode(data, self._limits) for data in photos]
        if box is not None:
            images = [crop(image, box) for image in images]
        decoded = time.perf_counter()
        vectors = self._embedder().embed(images)
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

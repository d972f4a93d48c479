"""Photos of queries: from the bytes of their files to vectors."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from PIL import Image

from indexer.arrays import Vectors
from indexer.embedding import Embedder, EmbeddingSpec
from indexer.embedding.base import Pixels
from indexer.embedding.regions import locate
from indexer.images import Box, ImageLimits, crop, decode
from indexer.images.decoding import reduced

# Photos are reduced while decoding to no less than this multiple of the model's input; Pillow
# calls 3 almost indistinguishable from no reduction (`reducing_gap`). Cosine to the vector of the
# full photo: mean 0.99998, minimum 0.9999; decoding takes a quarter of the time.
_REDUCING_GAP = 3


@dataclass(frozen=True)
class Timings:
    """Milliseconds spent on decoding photos, waiting for the model, and embedding."""

    decode: float = 0.0
    queue: float = 0.0
    embed: float = 0.0

    def __add__(self, other: "Timings") -> "Timings":
        return Timings(
            self.decode + other.decode, self.queue + other.queue, self.embed + other.embed
        )


@dataclass(frozen=True)
class AutoBox:
    """Selects the part of a photo that looks most like a product, or the whole photo.

    Attributes:
        products: returns vectors (n, dimension) of what counts as a product.
    """

    products: Callable[[], Vectors]


@dataclass(frozen=True)
class EmbeddedPhotos:
    """The vectors of photos.

    Attributes:
        vectors: (n, dimension), in the order of the photos.
        box: the part of the first photo that was embedded; None if that is all of it.
        timings: milliseconds by stage.
    """

    vectors: Vectors
    box: Box | None
    timings: Timings


class QueryEmbedder(Protocol):
    """Embeds photos of queries; any number of threads may use one object."""

    def embed(self, photos: Sequence[bytes], box: Box | AutoBox | None = None) -> EmbeddedPhotos:
        """Embeds a part of each photo, given as the bytes of its file; None is all of it.

        Raises:
            ImageError: a photo cannot be used.
            BadParameterError: invalid box.
        """
        ...


class PlainQueryEmbedder:
    """Decodes and embeds one query after the other, as a command does.

    Args:
        embedder: returns the model; called when there is a photo to embed.
        limits: what a photo may cost.
    """

    def __init__(self, embedder: Callable[[], Embedder], limits: ImageLimits) -> None:
        self._embedder = embedder
        self._limits = limits

    def embed(self, photos: Sequence[bytes], box: Box | AutoBox | None = None) -> EmbeddedPhotos:
        embedder = self._embedder()
        done = [self._prepare(embedder, photo, box) for photo in photos]
        start = time.perf_counter()
        vectors = embedder.embed_batch(np.stack([pixels for pixels, _, _ in done]))
        took = Timings(embed=1000 * (time.perf_counter() - start))
        return EmbeddedPhotos(vectors, done[0][1], sum((each for *_, each in done), took))

    def _prepare(
        self, embedder: Embedder, photo: bytes, box: Box | AutoBox | None
    ) -> tuple[Pixels, Box | None, Timings]:
        start = time.perf_counter()
        if not isinstance(box, AutoBox):
            pixels = prepare(photo, self._limits, embedder.spec, box)
            return pixels, box, Timings(decode=1000 * (time.perf_counter() - start))
        image = decode(photo, self._limits)
        decoded = time.perf_counter()
        part = locate(image, embedder, box.products())
        located = time.perf_counter()
        pixels = fitted(image, embedder.spec, part)
        decode_s = decoded - start + time.perf_counter() - located
        return pixels, part, Timings(decode=1000 * decode_s, embed=1000 * (located - decoded))


def prepare(
    data: bytes, limits: ImageLimits, spec: EmbeddingSpec, box: Box | None = None
) -> Pixels:
    """Decodes a photo and returns the part `box` of it for the model: uint8 (side, side, 3), RGB.

    Raises:
        ImageError: the photo cannot be used.
        BadParameterError: invalid box.
    """
    return _square(decode(data, limits, _min_side(spec, box)), spec, box)


def fitted(image: Image.Image, spec: EmbeddingSpec, box: Box | None) -> Pixels:
    """Returns what `prepare` would, of a photo that was decoded for another purpose."""
    return _square(reduced(image, _min_side(spec, box)), spec, box)


def _square(image: Image.Image, spec: EmbeddingSpec, box: Box | None) -> Pixels:
    return spec.square(image if box is None else crop(image, box))


def _min_side(spec: EmbeddingSpec, box: Box | None) -> int | None:
    """Returns how far the shorter side may be reduced, in pixels; None for not at all."""
    part = 1.0 if box is None else min(box[2] - box[0], box[3] - box[1])
    side = spec.resized_side
    if side is None or not 0 < part <= 1:  # takes single pixels; is refused later
        return None
    return math.ceil(_REDUCING_GAP * side / part)

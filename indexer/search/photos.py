"""From the bytes of photos to the vectors that are searched with."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from indexer.arrays import Vectors
from indexer.embedding import Embedder
from indexer.errors import BadParameterError
from indexer.images import ImageLimits, crop, decode

TookMs = dict[str, float]


class PhotoVectors:
    """Decodes, crops and embeds.

    Args:
        embedder: called when a photo is to be embedded.
        limits: what a photo may cost.
    """

    def __init__(self, embedder: Callable[[], Embedder], limits: ImageLimits) -> None:
        self._embedder = embedder
        self._limits = limits

    def vectors(self, photos: Sequence[bytes], box: str | None, took_ms: TookMs) -> Vectors:
        """A vector for each photo, (n, dimension); adds what decoding and embedding took.

        Raises:
            ImageError: the photo cannot be used.
            BadParameterError: the box is none.
        """
        with timed(took_ms, "decode"):
            images = [decode(data, self._limits) for data in photos]
            if box is not None:
                images = [crop(image, _corners(box)) for image in images]
        with timed(took_ms, "embed"):
            return self._embedder().embed(images)


@contextmanager
def timed(took_ms: TookMs, stage: str) -> Iterator[None]:
    """Adds the time of a block, in milliseconds."""
    start = time.perf_counter()
    yield
    took_ms[stage] += 1000 * (time.perf_counter() - start)


def _corners(box: str) -> tuple[float, float, float, float]:
    try:
        x1, y1, x2, y2 = map(float, box.split(","))
    except ValueError:
        raise BadParameterError(f"box: received {box!r}; send x1,y1,x2,y2") from None
    return x1, y1, x2, y2

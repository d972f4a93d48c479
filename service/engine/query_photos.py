"""Photos of queries as vectors: a photo is decoded and embedded once, however often it comes."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from typing import Any, Generic, TypeVar

import numpy as np

from indexer.arrays import Vector, Vectors
from indexer.embedding import Embedder, available_cores
from indexer.embedding.base import Maps, Photos
from indexer.embedding.photos import prepare
from indexer.embedding.regions import locate
from indexer.images import Box, ImageLimits, decode
from service.engine import metrics
from service.engine.batching import Embedded, Lane
from service.errors import DeadlineError

Key = tuple[bytes, Box | None]
Products = Callable[[], Vectors]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class QueryPhotos:
    """Decodes photos, queues them for the model, and remembers their vectors.

    Args:
        lane: see below.
        limits: what a photo may cost.
        remembered: how many vectors to keep.
        deadline_s: how long a query may wait for its vectors.

    Attributes:
        lane: to the model.
        limits: of a photo.
    """

    def __init__(self, lane: Lane, limits: ImageLimits, remembered: int, deadline_s: float) -> None:
        self.lane = lane
        self.limits = limits
        self._deadline_s = deadline_s
        self._known = _Recent[Key, Vector](remembered)
        self._boxes = _Recent[tuple[bytes, Products], tuple[Box | None]](remembered)
        self._coming: dict[Key, Future[Embedded]] = {}
        self._lock = threading.Lock()
        # More decoders than cores would only slow each other, and the model.
        self._decoders = threading.BoundedSemaphore(available_cores())

    def vectors(
        self, photos: Sequence[bytes], box: Box | None, took_ms: dict[str, float]
    ) -> Vectors:
        """The vectors (n, dimension) of the parts `box` of the photos, given as their files.

        Adds to `took_ms` what `decode`, `queue` and `embed` took, in milliseconds.

        Raises:
            ImageError: a photo cannot be used.
            BadParameterError: the box is none.
            DeadlineError: the model was busy for too long.
        """
        with self._until() as deadline:
            coming = [self._requested(photo, box, deadline, took_ms) for photo in photos]
            return np.stack([self._awaited(vector, deadline, took_ms) for vector in coming])

    def located(self, photo: bytes, products: Products, took_ms: dict[str, float]) -> Box | None:
        """The part of a photo that shows a product; None for all of it.

        Adds to `took_ms` as `vectors` does. A photo keeps its box, for the next page too.

        Args:
            products: gives vectors (n, dimension) of what counts as one.

        Raises:
            ImageError: the photo cannot be used.
            DeadlineError: the model was busy for too long.
        """
        key = sha256(photo).digest(), products
        with self._lock:
            known = self._boxes.get(key)
        if known is None:
            with self.between(took_ms) as embedder:
                with self._decoding(embedder.deadline, took_ms):
                    image = decode(photo, self.limits)
                known = (locate(image, embedder, products()),)
            with self._lock:
                self._boxes.put(key, known)
        return known[0]

    @contextmanager
    def between(self, took_ms: dict[str, float]) -> Iterator["BetweenPhotos"]:
        """The model, for more than vectors: each of its passes runs while no photo is queued.

        Adds to `took_ms` what `queue` and `embed` took, in milliseconds.

        Raises:
            DeadlineError: the photos took too long.
        """
        with self._until() as deadline:
            yield BetweenPhotos(self.lane, deadline, took_ms)

    @contextmanager
    def _until(self) -> Iterator[float]:
        """The time by which it must be done; that it was not is counted."""
        try:
            yield time.perf_counter() + self._deadline_s
        except DeadlineError:
            metrics.REFUSED.labels("deadline").inc()
            raise

    def _requested(
        self, photo: bytes, box: Box | None, deadline: float, took_ms: dict[str, float]
    ) -> "Vector | Future[Embedded]":
        """The vector if it is known, or else what will give it."""
        key = sha256(photo).digest(), box
        with self._lock:
            if (vector := self._known.get(key)) is not None:
                metrics.EMBEDDING_CACHE.labels("hit").inc()
                return vector
            if (coming := self._coming.get(key)) is not None:
                metrics.EMBEDDING_CACHE.labels("joined").inc()
                return coming
            coming = self._coming[key] = Future()
        metrics.EMBEDDING_CACHE.labels("miss").inc()
        coming.add_done_callback(partial(self._settle, key))
        try:
            with self._decoding(deadline, took_ms):
                pixels = prepare(photo, self.limits, self.lane.embedder.spec, box)
        except Exception as error:  # the same for everyone who sent this photo
            coming.set_exception(error)
            raise
        self.lane.submit(pixels, deadline, coming)
        return coming

    def _settle(self, key: Key, done: "Future[Embedded]") -> None:
        with self._lock:
            del self._coming[key]
            if done.exception() is None:
                self._known.put(key, done.result().vector)

    @contextmanager
    def _decoding(self, deadline: float, took_ms: dict[str, float]) -> Iterator[None]:
        """Around decoding a photo: at most one per core at a time."""
        began = time.perf_counter()
        if not self._decoders.acquire(timeout=max(0, deadline - began)):
            raise DeadlineError
        try:
            start = time.perf_counter()
            yield
        finally:
            self._decoders.release()
        took_ms["queue"] += 1000 * (start - began)
        took_ms["decode"] += 1000 * (time.perf_counter() - start)

    def _awaited(
        self, coming: "Vector | Future[Embedded]", deadline: float, took_ms: dict[str, float]
    ) -> Vector:
        if not isinstance(coming, Future):
            return coming
        start = time.perf_counter()
        try:
            embedded = coming.result(timeout=max(0, deadline - start))
        except TimeoutError:
            raise DeadlineError from None
        took_ms["queue"] += 1000 * max(0, embedded.began - start)
        took_ms["embed"] += 1000 * (embedded.ended - max(embedded.began, start))
        return embedded.vector


class BetweenPhotos(Embedder):
    """A model whose passes each wait until no photo is queued for it.

    Attributes:
        deadline: when their time is over (`time.perf_counter`).
    """

    def __init__(self, lane: Lane, deadline: float, took_ms: dict[str, float]) -> None:
        self.spec = lane.embedder.spec
        self.runs_on = lane.embedder.runs_on
        self.deadline = deadline
        self._lane = lane
        self._took_ms = took_ms

    def embed_batch(self, images: Photos) -> Vectors:
        vectors: Vectors = np.empty((len(images), self.dimension), np.float32)
        for number in range(len(images)):  # one at a time, so that photos wait for one at most
            vectors[number] = self._pass(
                self._lane.embedder.embed_batch, images[number : number + 1]
            )[0]
        return vectors

    def activations(self, images: Photos) -> Maps:
        maps: Maps = self._pass(self._lane.embedder.activations, images)
        return maps

    def _pass(self, work: Callable[[Photos], Any], images: Photos) -> Any:
        asked = time.perf_counter()
        done = self._lane.between(partial(work, images), self.deadline)
        self._took_ms["queue"] += 1000 * (done.began - asked)
        self._took_ms["embed"] += 1000 * (done.ended - done.began)
        return done.result


class _Recent(Generic[K, V]):
    """What was asked for last."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        if key in self._values:
            self._values.move_to_end(key)
        return self._values.get(key)

    def put(self, key: K, value: V) -> None:
        self._values[key] = value
        if len(self._values) > self._most:
            self._values.popitem(last=False)

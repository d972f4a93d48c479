"""Photos of queries as vectors: a photo is decoded and embedded once, however often it comes."""

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from hashlib import sha256

import numpy as np

from indexer.arrays import Vector, Vectors
from indexer.embedding import available_cores
from indexer.embedding.base import Pixels
from indexer.images import Box, ImageLimits
from indexer.photos import prepare
from service import metrics
from service.errors import DeadlineError
from service.lane import Embedded, Lane

Key = tuple[bytes, Box | None]


class QueryPhotos:
    """Decodes photos, queues them for the network, and remembers their vectors.

    Args:
        lane: see below.
        limits: what a photo may cost.
        remembered: how many vectors to keep.
        deadline_s: how long a query may wait for its vectors.

    Attributes:
        lane: to the network.
    """

    def __init__(self, lane: Lane, limits: ImageLimits, remembered: int, deadline_s: float) -> None:
        self.lane = lane
        self._limits = limits
        self._deadline_s = deadline_s
        self._known = _Recent(remembered)
        self._coming: dict[Key, Future[Embedded]] = {}
        self._lock = threading.Lock()
        # More decoders than cores would only slow each other, and the network.
        self._decoders = threading.BoundedSemaphore(available_cores())

    def vectors(
        self, photos: Sequence[bytes], box: Box | None, took_ms: dict[str, float]
    ) -> Vectors:
        """The vectors (n, dimension) of the parts `box` of the photos, given as their files.

        Adds to `took_ms` what `decode`, `queue` and `embed` took, in milliseconds.

        Raises:
            ImageError: a photo cannot be used.
            BadParameterError: the box is none.
            DeadlineError: the network was busy for too long.
        """
        deadline = time.perf_counter() + self._deadline_s
        try:
            coming = [self._requested(photo, box, deadline, took_ms) for photo in photos]
            return np.stack([self._awaited(vector, deadline, took_ms) for vector in coming])
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
            pixels = self._decoded(photo, box, deadline, took_ms)
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

    def _decoded(
        self, photo: bytes, box: Box | None, deadline: float, took_ms: dict[str, float]
    ) -> Pixels:
        began = time.perf_counter()
        if not self._decoders.acquire(timeout=max(0, deadline - began)):
            raise DeadlineError
        try:
            start = time.perf_counter()
            pixels = prepare(photo, self._limits, self.lane.embedder.spec, box)
        finally:
            self._decoders.release()
        took_ms["queue"] += 1000 * (start - began)
        took_ms["decode"] += 1000 * (time.perf_counter() - start)
        return pixels

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


class _Recent:
    """The vectors that were asked for last."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._vectors: OrderedDict[Key, Vector] = OrderedDict()

    def get(self, key: Key) -> Vector | None:
        if key in self._vectors:
            self._vectors.move_to_end(key)
        return self._vectors.get(key)

    def put(self, key: Key, vector: Vector) -> None:
        self._vectors[key] = vector
        if len(self._vectors) > self._most:
            self._vectors.popitem(last=False)

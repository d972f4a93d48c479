"""Embeds photos of queries; a repeated photo is decoded and embedded once."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import TypeVar

import numpy as np
from PIL import Image

from indexer.arrays import Vector, Vectors
from indexer.embedding import Embedder, available_cores
from indexer.embedding.base import Maps, PixelBatch
from indexer.embedding.photos import AutoBox, EmbeddedPhotos, Timings, fitted, prepare
from indexer.embedding.regions import locate
from indexer.images import Box, ImageLimits, crop, decode
from service.engine import metrics
from service.engine.batching import Batcher, Done
from service.engine.recent import Recent
from service.errors import DeadlineError

Key = tuple[bytes, Box | None]

T = TypeVar("T")


@dataclass(frozen=True)
class EmbeddedPart:
    """A part of a photo.

    Attributes:
        vector: (dimension,).
        box: the part; None is the whole photo.
        picture: the decoded part.
    """

    vector: Vector
    box: Box | None
    picture: Image.Image


@dataclass(frozen=True)
class _Requested:
    """A known vector, or the future of one."""

    vector: "Vector | Future[Done[Vector]]"
    box: Box | None
    deadline: float
    timings: Timings


class QueryEmbedder:
    """Decodes, crops and queues photos for the model, and remembers their vectors.

    Args:
        batcher: of the model.
        limits: on the size of a photo.
        remembered: number of vectors to keep.
        deadline_s: how long a query may wait for its vectors.

    Attributes:
        batcher: of the model.
        limits: on the size of a photo.
    """

    def __init__(
        self, batcher: Batcher, limits: ImageLimits, remembered: int, deadline_s: float
    ) -> None:
        self.batcher = batcher
        self.limits = limits
        self._deadline_s = deadline_s
        self._known = Recent[Key, Vector](remembered)
        self._boxes = Recent[tuple[bytes, AutoBox], tuple[Box | None]](remembered)
        self._coming: dict[Key, Future[Done[Vector]]] = {}
        self._lock = threading.Lock()
        # More decoders than cores would slow each other and the model.
        self._decoders = threading.BoundedSemaphore(available_cores())

    def embed(self, photos: Sequence[bytes], box: Box | AutoBox | None = None) -> EmbeddedPhotos:
        """Embeds a part of each photo, given as the bytes of its file; None is the whole photo.

        The box found in a photo is remembered, so that further pages use the same.

        Raises:
            ImageError: a photo cannot be used.
            BadParameterError: invalid box.
            DeadlineError: the vectors were not ready in time.
        """
        with self._counted():
            deadline = self._deadline()
            requests = [self._requested(photo, box, deadline) for photo in photos]
            done = [self._awaited(request) for request in requests]
        took = sum((timings for _, timings in done), Timings())
        return EmbeddedPhotos(np.stack([vector for vector, _ in done]), requests[0].box, took)

    def embed_part(self, photo: bytes, box: Box | AutoBox | None) -> EmbeddedPart:
        """Embeds a part of a photo; also returns the decoded part.

        Raises:
            ImageError, BadParameterError, DeadlineError: as `embed`.
        """
        with self._counted():
            deadline = self._deadline()
            picture, _ = self._decoded(partial(decode, photo, self.limits), deadline)
            request = self._requested(photo, box, deadline, picture)
            vector, _ = self._awaited(request)
        part = request.box
        return EmbeddedPart(vector, part, picture if part is None else crop(picture, part))

    @contextmanager
    def when_idle(self) -> Iterator["IdleEmbedder"]:
        """Returns the model with passes that run while no photo is queued.

        Raises:
            DeadlineError: photos were queued for too long.
        """
        with self._counted():
            yield IdleEmbedder(self.batcher, self._deadline())

    def _deadline(self) -> float:
        return time.perf_counter() + self._deadline_s

    @contextmanager
    def _counted(self) -> Iterator[None]:
        try:
            yield
        except DeadlineError:
            metrics.REFUSED.labels("deadline").inc()
            raise

    def _requested(
        self,
        photo: bytes,
        box: Box | AutoBox | None,
        deadline: float,
        picture: Image.Image | None = None,
    ) -> _Requested:
        """Requests the vector of a part of a photo, which may already be decoded."""
        digest, took = sha256(photo).digest(), Timings()
        if isinstance(box, AutoBox):
            box, picture, took = self._located(digest, photo, box, picture)
            deadline = self._deadline()  # the passes before had one of their own
        key = digest, box
        with self._lock:
            if (vector := self._known.get(key)) is not None:
                metrics.EMBEDDING_CACHE.labels("hit").inc()
                return _Requested(vector, box, deadline, took)
            if (coming := self._coming.get(key)) is not None:
                metrics.EMBEDDING_CACHE.labels("joined").inc()
                return _Requested(coming, box, deadline, took)
            coming = self._coming[key] = Future()
        metrics.EMBEDDING_CACHE.labels("miss").inc()
        coming.add_done_callback(partial(self._settle, key))
        spec = self.batcher.embedder.spec
        prepared = (
            partial(prepare, photo, self.limits, spec, box)
            if picture is None
            else partial(fitted, picture, spec, box)
        )
        try:
            pixels, decoding = self._decoded(prepared, deadline)
        except Exception as error:  # the same for all requests with this photo
            coming.set_exception(error)
            raise
        self.batcher.submit(pixels, deadline, coming)
        return _Requested(coming, box, deadline, took + decoding)

    def _settle(self, key: Key, done: "Future[Done[Vector]]") -> None:
        with self._lock:
            del self._coming[key]
            if done.exception() is None:
                self._known.put(key, done.result().result)

    def _located(
        self, digest: bytes, photo: bytes, box: AutoBox, picture: Image.Image | None
    ) -> tuple[Box | None, Image.Image | None, Timings]:
        """Returns the box, the photo if it was decoded, and the timings."""
        with self._lock:
            if known := self._boxes.get((digest, box)):
                return known[0], picture, Timings()
        idle, decoding = IdleEmbedder(self.batcher, self._deadline()), Timings()
        if picture is None:
            decoded, decoding = self._decoded(partial(decode, photo, self.limits), idle.deadline)
            picture = decoded
        found = locate(picture, idle, box.products())
        with self._lock:
            self._boxes.put((digest, box), (found,))
        return found, picture, decoding + idle.timings

    def _decoded(self, decoding: Callable[[], T], deadline: float) -> tuple[T, Timings]:
        """Decodes a photo; at most one per core at a time."""
        asked = time.perf_counter()
        if not self._decoders.acquire(timeout=max(0, deadline - asked)):
            raise DeadlineError
        try:
            start = time.perf_counter()
            decoded = decoding()
        finally:
            self._decoders.release()
        ended = time.perf_counter()
        return decoded, Timings(decode=1000 * (ended - start), queue=1000 * (start - asked))

    def _awaited(self, request: _Requested) -> tuple[Vector, Timings]:
        if not isinstance(request.vector, Future):
            return request.vector, request.timings
        start = time.perf_counter()
        try:
            done = request.vector.result(timeout=max(0, request.deadline - start))
        except TimeoutError:
            raise DeadlineError from None
        queue_s, embed_s = max(0, done.began - start), done.ended - max(done.began, start)
        return done.result, request.timings + Timings(queue=1000 * queue_s, embed=1000 * embed_s)


class IdleEmbedder(Embedder):
    """A model whose passes each wait until no photo is queued.

    Attributes:
        deadline: of all passes (`time.perf_counter`).
        timings: of the passes so far.
    """

    def __init__(self, batcher: Batcher, deadline: float) -> None:
        self.spec = batcher.embedder.spec
        self.runs_on = batcher.embedder.runs_on
        self.cells = batcher.embedder.cells
        self.head = batcher.embedder.head
        self.deadline = deadline
        self.timings = Timings()
        self._batcher = batcher

    def embed_batch(self, images: PixelBatch) -> Vectors:
        vectors: Vectors = np.empty((len(images), self.dimension), np.float32)
        # One per pass, so that a queued photo waits for at most one.
        for number in range(len(images)):
            one = images[number : number + 1]
            vectors[number] = self._pass(self._batcher.embedder.embed_batch, one)[0]
        return vectors

    def activations(self, images: PixelBatch) -> Maps:
        return self._pass(self._batcher.embedder.activations, images)

    def _pass(self, work: Callable[[PixelBatch], T], images: PixelBatch) -> T:
        asked = time.perf_counter()
        done = self._batcher.run_when_idle(partial(work, images), self.deadline)
        self.timings += Timings(
            queue=1000 * (done.began - asked), embed=1000 * (done.ended - done.began)
        )
        return done.result

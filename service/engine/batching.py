"""Batches photos for a model: photos queued at the same time share a pass.

A pass of the model uses every core, so passes run one after the other. Decoding and searching run
concurrently in the threads of the requests. Passes that do not compute the vector of a photo run
while no photo is queued.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from indexer.arrays import Vector
from indexer.embedding import Embedder
from indexer.embedding.base import Pixels
from service.errors import DeadlineError

# Photos per pass. A pass of four takes up to half as long as four passes; more than four gain
# little, and the first of them would wait for the last.
_MAX_BATCH = 4
_SMOOTHING = 0.1

T = TypeVar("T")


@dataclass(frozen=True)
class Done(Generic[T]):
    """The result of a pass, and its start and end (`time.perf_counter`)."""

    result: T
    began: float
    ended: float


@dataclass(frozen=True)
class _Photo:
    pixels: Pixels
    deadline: float
    done: "Future[Done[Vector]]"


@dataclass(frozen=True)
class _Work(Generic[T]):
    run: Callable[[], T]
    done: "Future[Done[T]]"


class Batcher:
    """Embeds photos in passes of one thread.

    Attributes:
        embedder: the model.
        seconds_per_photo: running mean of the time per photo.
    """

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder
        self.seconds_per_photo = 0.0
        self._photos: deque[_Photo] = deque()
        self._works: deque[_Work[object]] = deque()
        self._stopped = False
        self._changed = threading.Condition()
        self._warm_up()
        self._thread = threading.Thread(target=self._run, name="embedding", daemon=True)
        self._thread.start()

    def submit(self, pixels: Pixels, deadline: float, done: "Future[Done[Vector]]") -> None:
        """Queues a prepared photo (side, side, 3); its vector becomes the result of `done`.

        If the photo is still queued at `deadline` (`time.perf_counter`), `done` raises a
        DeadlineError.
        """
        with self._changed:
            self._photos.append(_Photo(pixels, deadline, done))
            self._changed.notify()

    def run_when_idle(self, run: Callable[[], T], deadline: float) -> Done[T]:
        """Runs one pass of the model once no photo is queued, and waits for its result.

        Raises:
            DeadlineError: the pass had not started at `deadline` (`time.perf_counter`).
        """
        done: Future[Done[T]] = Future()
        with self._changed:
            self._works.append(_Work(run, done))  # type: ignore[arg-type]
            self._changed.notify()
        try:
            return done.result(timeout=max(0, deadline - time.perf_counter()))
        except TimeoutError:
            if done.cancel():
                raise DeadlineError from None
            return done.result()  # the pass has started

    @property
    def waiting(self) -> int:
        """Number of queued photos."""
        return len(self._photos)

    def stop(self) -> None:
        """Finishes the queued work, then stops the thread."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join()

    def _warm_up(self) -> None:
        """Compiles the model for each batch size; the first pass of a size is slow."""
        side = self.embedder.spec.input_size
        for photos in range(1, _MAX_BATCH + 1):
            self.embedder.embed_batch(np.zeros((photos, side, side, 3), np.uint8))
        start = time.perf_counter()
        self.embedder.embed_batch(np.zeros((1, side, side, 3), np.uint8))
        self.seconds_per_photo = time.perf_counter() - start

    def _run(self) -> None:
        while (batch := self._next()) is not None:
            if isinstance(batch, _Work):
                _run(batch)
            else:
                self._embed(batch)

    def _next(self) -> list[_Photo] | _Work[object] | None:
        """Returns the queued photos, or else the next other work; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._photos or self._works or self._stopped)
            if self._photos:
                return [self._photos.popleft() for _ in range(min(_MAX_BATCH, len(self._photos)))]
            return self._works.popleft() if self._works else None

    def _embed(self, photos: list[_Photo]) -> None:
        began = time.perf_counter()
        for photo in photos:
            if photo.deadline < began:
                photo.done.set_exception(DeadlineError())
        photos = [photo for photo in photos if photo.deadline >= began]
        if not photos:
            return
        try:
            vectors = self.embedder.embed_batch(np.stack([photo.pixels for photo in photos]))
        except Exception as error:  # raised in the waiting threads; the batcher continues
            for photo in photos:
                photo.done.set_exception(error)
            return
        ended = time.perf_counter()
        newest = (ended - began) / len(photos)
        self.seconds_per_photo += _SMOOTHING * (newest - self.seconds_per_photo)
        for photo, vector in zip(photos, vectors, strict=True):
            photo.done.set_result(Done(vector, began, ended))


def _run(work: _Work[object]) -> None:
    if not work.done.set_running_or_notify_cancel():
        return
    began = time.perf_counter()
    try:
        result = work.run()
    except Exception as error:  # raised in the waiting thread; the batcher continues
        work.done.set_exception(error)
        return
    work.done.set_result(Done(result, began, time.perf_counter()))

"""The one lane to a model: photos queue for it, and those that wait together go together.

A pass of the model uses every core, so two at once would only take turns; decoding and
searching go on beside it in the threads of the requests. Passes that are not for the vector of a
photo run while no photo is queued.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import numpy as np

from indexer.arrays import Vector
from indexer.embedding import Embedder
from indexer.embedding.base import Pixels
from service.errors import DeadlineError

# Photos per pass. A pass of four takes up to half as long as four passes; more than four gain
# little, and the first of them would wait for the last.
_TOGETHER = 4
_SMOOTHING = 0.1


@dataclass(frozen=True)
class Embedded:
    """A vector, and when the model began and ended its pass (`time.perf_counter`)."""

    vector: Vector
    began: float
    ended: float


@dataclass(frozen=True)
class _Job:
    pixels: Pixels
    deadline: float
    done: Future[Embedded]


@dataclass(frozen=True)
class Passed:
    """The result of a pass beside the photos, and when it began and ended."""

    result: Any
    began: float
    ended: float


@dataclass(frozen=True)
class _Pass:
    work: Callable[[], Any]
    done: Future[Passed]


class Lane:
    """Embeds photos one pass after the other, in a thread of its own.

    Attributes:
        seconds_per_photo: a running mean.
    """

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder
        self.seconds_per_photo = 0.0
        self._jobs: deque[_Job] = deque()
        self._passes: deque[_Pass] = deque()
        self._stopped = False
        self._changed = threading.Condition()
        self._warm_up()
        self._thread = threading.Thread(target=self._run, name="embedding", daemon=True)
        self._thread.start()

    def submit(self, pixels: Pixels, deadline: float, done: "Future[Embedded]") -> None:
        """Queues a prepared photo (side, side, 3), whose vector is the result of `done`.

        It is a DeadlineError if its turn comes after `deadline` (`time.perf_counter`).
        """
        with self._changed:
            self._jobs.append(_Job(pixels, deadline, done))
            self._changed.notify()

    def between(self, work: Callable[[], Any], deadline: float) -> Passed:
        """Runs one pass of the model once no photo is queued, and waits for its result.

        Raises:
            DeadlineError: its turn did not come until `deadline` (`time.perf_counter`).
        """
        done: Future[Passed] = Future()
        with self._changed:
            self._passes.append(_Pass(work, done))
            self._changed.notify()
        try:
            return done.result(timeout=max(0, deadline - time.perf_counter()))
        except TimeoutError:
            if done.cancel():
                raise DeadlineError from None
            return done.result()  # it has begun

    @property
    def waiting(self) -> int:
        """Photos that are queued."""
        return len(self._jobs)

    def stop(self) -> None:
        """Does what is queued, then ends."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join()

    def _warm_up(self) -> None:
        """Every size of a pass is compiled for itself when it comes first."""
        side = self.embedder.spec.input_size
        for photos in range(1, _TOGETHER + 1):
            self.embedder.embed_batch(np.zeros((photos, side, side, 3), np.uint8))
        start = time.perf_counter()
        self.embedder.embed_batch(np.zeros((1, side, side, 3), np.uint8))
        self.seconds_per_photo = time.perf_counter() - start

    def _run(self) -> None:
        while (work := self._next()) is not None:
            if isinstance(work, _Pass):
                _run(work)
            else:
                self._embed(work)

    def _next(self) -> list[_Job] | _Pass | None:
        """The photos that wait, or else the next pass beside them; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._jobs or self._passes or self._stopped)
            if self._jobs:
                return [self._jobs.popleft() for _ in range(min(_TOGETHER, len(self._jobs)))]
            return self._passes.popleft() if self._passes else None

    def _embed(self, jobs: list[_Job]) -> None:
        began = time.perf_counter()
        for job in jobs:
            if job.deadline < began:
                job.done.set_exception(DeadlineError())
        jobs = [job for job in jobs if job.deadline >= began]
        if not jobs:
            return
        try:
            vectors = self.embedder.embed_batch(np.stack([job.pixels for job in jobs]))
        except Exception as error:  # belongs to those who wait; the lane goes on
            for job in jobs:
                job.done.set_exception(error)
            return
        ended = time.perf_counter()
        newest = (ended - began) / len(jobs)
        self.seconds_per_photo += _SMOOTHING * (newest - self.seconds_per_photo)
        for job, vector in zip(jobs, vectors, strict=True):
            job.done.set_result(Embedded(vector, began, ended))


def _run(work: _Pass) -> None:
    if not work.done.set_running_or_notify_cancel():
        return
    began = time.perf_counter()
    try:
        result = work.work()
    except Exception as error:  # belongs to whoever waits; the lane goes on
        work.done.set_exception(error)
        return
    work.done.set_result(Passed(result, began, time.perf_counter()))

"""The one lane to a network: photos queue for it, and those that wait together go together.

A pass of the network uses every core, so two at once would only take turns; decoding and
searching go on beside it in the threads of the requests.
"""

import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass
from queue import Empty, SimpleQueue

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
    """A vector, and when the network began and ended its pass (`time.perf_counter`)."""

    vector: Vector
    began: float
    ended: float


@dataclass(frozen=True)
class _Job:
    pixels: Pixels
    deadline: float
    done: Future[Embedded]


class Lane:
    """Embeds photos one pass after the other, in a thread of its own.

    Attributes:
        seconds_per_photo: a running mean.
    """

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder
        self.seconds_per_photo = 0.0
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._warm_up()
        self._thread = threading.Thread(target=self._run, name="embedding", daemon=True)
        self._thread.start()

    def submit(self, pixels: Pixels, deadline: float, done: "Future[Embedded]") -> None:
        """Queues a prepared photo (side, side, 3), whose vector is the result of `done`.

        It is a DeadlineError if its turn comes after `deadline` (`time.perf_counter`).
        """
        self._jobs.put(_Job(pixels, deadline, done))

    @property
    def waiting(self) -> int:
        """Photos that are queued."""
        return self._jobs.qsize()

    def stop(self) -> None:
        """Embeds what is queued, then ends."""
        self._jobs.put(None)
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
        going = True
        while going:
            jobs = [self._jobs.get()]
            while len(jobs) < _TOGETHER:
                try:
                    jobs.append(self._jobs.get_nowait())
                except Empty:
                    break
            going = None not in jobs
            self._embed([job for job in jobs if job is not None])

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

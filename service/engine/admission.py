"""Admission control: requests over the limits get 503 with Retry-After."""

import math
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from service.engine import metrics
from service.errors import OverloadedError

Kind = Literal["upload", "photo", "product", "costly", "batch", "change", "thumbnail"]

# Requests that wait for the model; refused when the photos before them take too long.
_WITH_MODEL: set[Kind] = {"upload", "photo", "costly"}
_SEARCHES: set[Kind] = {"photo", "product", "costly"}
_NOUNS: dict[Kind, str] = {"change": "changes", "thumbnail": "thumbnails"}


@dataclass(frozen=True)
class Limits:
    """How many requests of each kind may be in progress in one process.

    Attributes:
        upload: requests that may have a photo in their body, from its arrival; only their content
            tells whether they are costly.
        photo: searches by photo.
        product: searches by product, counted together with those by photo.
        costly: searches with `box=auto` and explanations. Their many passes run while no photo is
            queued, so they count neither as searches nor for the wait of photos.
        batch: batches of searches, whose answers are built in memory; their searches count too.
            Also samples of queries for rating, which read the ids of all products.
        change: requests that change products; few, because each may wait for another writer.
        thumbnail: requests that wait for a thumbnail; the pages of results ask for many at once.
    """

    upload: int
    photo: int
    product: int
    costly: int
    batch: int
    change: int
    thumbnail: int

    @classmethod
    def of(cls, max_in_flight: int) -> "Limits":
        """Derives the limits from the setting `service.max_in_flight`."""
        costly = max(1, max_in_flight // 4)
        return cls(
            upload=max_in_flight + costly,
            photo=max_in_flight,
            product=2 * max_in_flight,
            costly=costly,
            batch=2,
            change=max(1, max_in_flight // 3),
            thumbnail=2 * max_in_flight,
        )


class Admission:
    """Counts the requests in progress.

    Args:
        limits: on their numbers.
        max_wait_s: a photo is refused if the photos before it keep the model busy for longer.
        seconds_per_photo: returns the current time of the model per photo.
    """

    def __init__(
        self, limits: Limits, max_wait_s: float, seconds_per_photo: Callable[[], float]
    ) -> None:
        self._limits = limits
        self._max_wait_s = max_wait_s
        self._seconds_per_photo = seconds_per_photo
        self._taken: Counter[Kind] = Counter()
        self._photos = 0
        self._lock = threading.Lock()

    @contextmanager
    def admit(self, kind: Kind, photos: int = 0) -> Iterator[None]:
        """Counts a request as in progress.

        Args:
            kind: of the request; for an upload, before anything is decoded.
            photos: number of photos that a search by photo has for the model.

        Raises:
            OverloadedError: there are too many of its kind, or the photos before it take too long.
        """
        with self._lock:
            self._require_room(kind)
            self._taken[kind] += 1
            self._photos += photos
        if kind in _SEARCHES:
            metrics.IN_FLIGHT.inc()
        try:
            yield
        finally:
            if kind in _SEARCHES:
                metrics.IN_FLIGHT.dec()
            with self._lock:
                self._taken[kind] -= 1
                self._photos -= photos

    def _require_room(self, kind: Kind) -> None:
        taken = self._taken[kind] + (self._taken["photo"] if kind == "product" else 0)
        wait_s = self._photos * self._seconds_per_photo()
        full = taken >= getattr(self._limits, kind)
        if full or (kind in _WITH_MODEL and self._photos and wait_s > self._max_wait_s):
            reason = "thumbnail" if kind == "thumbnail" else "in_flight" if full else "wait"
            metrics.REFUSED.labels(reason).inc()
            raise OverloadedError(max(1, math.ceil(wait_s)), _NOUNS.get(kind, "searches"))

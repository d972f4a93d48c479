"""Admission control: searches over the limit get 503 with Retry-After."""

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from service.engine import metrics
from service.errors import OverloadedError


def costly_share(limit: int) -> int:
    """Limit on searches with `box=auto` and explanations, beside `limit` searches by photo."""
    return max(1, limit // 4)


class Admission:
    """Counts the searches in flight.

    Args:
        limit: on searches by photo in flight; all kinds together may be twice as many.
        max_wait_s: a photo is refused if those before it will keep the model busy for longer.
        seconds_per_photo: what the model takes now.
    """

    def __init__(
        self, limit: int, max_wait_s: float, seconds_per_photo: Callable[[], float]
    ) -> None:
        self._limit = limit
        self._max_wait_s = max_wait_s
        self._seconds_per_photo = seconds_per_photo
        self._uploads = 0
        self._searches = 0
        self._photos = 0
        self._costly = 0
        self._lock = threading.Lock()

    def _require_room(self, taken: int, limit: int, *, photo: bool) -> None:
        wait = self._photos * self._seconds_per_photo()
        full = taken >= limit
        if full or (photo and self._photos and wait > self._max_wait_s):
            metrics.REFUSED.labels("in_flight" if full else "wait").inc()
            raise OverloadedError(retry_after_s=max(1, math.ceil(wait)))

    @contextmanager
    def upload(self) -> Iterator[None]:
        """Around decoding a body that may have a photo, and what is done with it.

        Raises:
            OverloadedError: a search with a photo would not be taken now; nothing is decoded.
        """
        with self._lock:
            # Only what is in it tells whether it is costly.
            limit = self._limit + costly_share(self._limit)
            self._require_room(self._uploads, limit, photo=True)
            self._uploads += 1
        try:
            yield
        finally:
            with self._lock:
                self._uploads -= 1

    @contextmanager
    def admitted(self, photos: int = 0) -> Iterator[None]:
        """Counts a search with so many photos as in flight.

        Raises:
            OverloadedError: too many are.
        """
        with self._lock:
            limit = self._limit if photos else 2 * self._limit
            self._require_room(self._searches, limit, photo=photos > 0)
            self._searches += 1
            self._photos += photos
        metrics.IN_FLIGHT.inc()
        try:
            yield
        finally:
            metrics.IN_FLIGHT.dec()
            with self._lock:
                self._searches -= 1
                self._photos -= photos

    @contextmanager
    def costly(self) -> Iterator[None]:
        """Counts a query of many passes as in flight.

        Its passes run while no photo is queued, so no photo waits for them: it counts neither as
        a search nor for the wait of photos, and has a limit of its own.

        Raises:
            OverloadedError: too many are, or the photos before it take too long.
        """
        with self._lock:
            self._require_room(self._costly, costly_share(self._limit), photo=True)
            self._costly += 1
        metrics.IN_FLIGHT.inc()
        try:
            yield
        finally:
            metrics.IN_FLIGHT.dec()
            with self._lock:
                self._costly -= 1

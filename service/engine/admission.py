"""Admission control: searches and changes over the limits get 503 with Retry-After."""

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from service.engine import metrics
from service.errors import RETRY_AFTER_S, OverloadedError

# Answers of batches are built in memory.
_MAX_BATCHES = 2


def costly_share(limit: int) -> int:
    """Limit on searches with `box=auto` and explanations, beside `limit` searches by photo."""
    return max(1, limit // 4)


def changes_share(limit: int) -> int:
    """Limit on requests that change products, beside `limit` searches by photo."""
    return max(1, limit // 3)


class Admission:
    """Counts the searches and changes in flight.

    Args:
        limit: on searches by photo in flight; a search without one is refused while twice as many
            of both kinds are.
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
        self._by_photo = 0
        self._photos = 0
        self._costly = 0
        self._batches = 0
        self._changes = 0
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
        by_photo = photos > 0
        with self._lock:
            if by_photo:  # however many searches by product there are
                self._require_room(self._by_photo, self._limit, photo=True)
            else:
                self._require_room(self._searches, 2 * self._limit, photo=False)
            self._searches += 1
            self._by_photo += by_photo
            self._photos += photos
        metrics.IN_FLIGHT.inc()
        try:
            yield
        finally:
            metrics.IN_FLIGHT.dec()
            with self._lock:
                self._searches -= 1
                self._by_photo -= by_photo
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

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Counts a batch as in flight; its searches count as well.

        Raises:
            OverloadedError: too many are.
        """
        with self._lock:
            self._require_room(self._batches, _MAX_BATCHES, photo=False)
            self._batches += 1
        try:
            yield
        finally:
            with self._lock:
                self._batches -= 1

    @contextmanager
    def change(self) -> Iterator[None]:
        """Counts a request that changes products as in flight.

        Such a request may wait for another writer, so that few of them may have a thread.

        Raises:
            OverloadedError: too many are.
        """
        with self._lock:
            if self._changes >= changes_share(self._limit):
                metrics.REFUSED.labels("in_flight").inc()
                raise OverloadedError(RETRY_AFTER_S, "changes")
            self._changes += 1
        try:
            yield
        finally:
            with self._lock:
                self._changes -= 1

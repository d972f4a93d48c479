"""How many requests are taken at once; beyond that a client hears at once to come back."""

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from service import metrics
from service.errors import OverloadedError


class Admission:
    """Counts the searches in flight.

    Args:
        most: searches in flight at most.
        max_wait_s: a photo is refused if those before it will keep the network busy for longer.
        seconds_per_photo: what the network takes now.
    """

    def __init__(
        self, most: int, max_wait_s: float, seconds_per_photo: Callable[[], float]
    ) -> None:
        self._most = most
        self._max_wait_s = max_wait_s
        self._seconds_per_photo = seconds_per_photo
        self._searches = 0
        self._photos = 0
        self._lock = threading.Lock()

    def require_room(self, photos: int) -> None:
        """
        Raises:
            OverloadedError: a search with so many photos would not be taken now.
        """
        wait = self._photos * self._seconds_per_photo()
        full = self._searches >= self._most
        if full or (photos and self._photos and wait > self._max_wait_s):
            metrics.REFUSED.labels("in_flight" if full else "wait").inc()
            raise OverloadedError(retry_after_s=max(1, math.ceil(wait)))

    @contextmanager
    def admitted(self, photos: int = 0) -> Iterator[None]:
        """Counts a search with so many photos as in flight.

        Raises:
            OverloadedError: too many are.
        """
        with self._lock:
            self.require_room(photos)
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

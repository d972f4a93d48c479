"""How many requests are taken at once; beyond that a client hears at once to come back."""

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

from indexer.images.memory import MIB, MemoryGate
from service.errors import OverloadedError
from service.http import metrics

# Bodies up to this size count as nothing: as many as are taken at once fit anywhere.
_SMALL_BODY = MIB
# Of all larger ones. A photo in base64 is held as bytes, as text and decoded at worst.
_COPIES = 3
_BODIES = 96 * MIB


def costly_share(most: int) -> int:
    """Searches with `box=auto` and explanations in flight at most, beside `most` by photo."""
    return max(1, most // 4)


class Admission:
    """Counts the searches in flight, and the memory of what clients send.

    Args:
        most: searches by photo in flight at most; of all kinds, twice as many.
        max_wait_s: a photo is refused if those before it will keep the model busy for longer.
        seconds_per_photo: what the model takes now.
    """

    def __init__(
        self, most: int, max_wait_s: float, seconds_per_photo: Callable[[], float]
    ) -> None:
        self._most = most
        self._max_wait_s = max_wait_s
        self._seconds_per_photo = seconds_per_photo
        self._uploads = 0
        self._bodies = MemoryGate(_BODIES)
        self._searches = 0
        self._photos = 0
        self._costly = 0
        self._lock = threading.Lock()

    def _require_room(self, taken: int, most: int, *, photo: bool) -> None:
        wait = self._photos * self._seconds_per_photo()
        full = taken >= most
        if full or (photo and self._photos and wait > self._max_wait_s):
            metrics.REFUSED.labels("in_flight" if full else "wait").inc()
            raise OverloadedError(retry_after_s=max(1, math.ceil(wait)))

    @contextmanager
    def upload(self, size: int | None) -> Iterator[None]:
        """Around reading a body of so many bytes, None if nobody knows, and what is done with it.

        Waits while the bodies of others fill the memory.

        Raises:
            OverloadedError: a search with a photo would not be taken now; nothing is read.
        """
        with self._lock:
            # Only what is in it tells whether it is costly.
            most = self._most + costly_share(self._most)
            self._require_room(self._uploads, most, photo=True)
            self._uploads += 1
        held = _BODIES if size is None else _COPIES * size
        try:
            with nullcontext() if held <= _SMALL_BODY else self._bodies.hold(min(held, _BODIES)):
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
            most = self._most if photos else 2 * self._most
            self._require_room(self._searches, most, photo=photos > 0)
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
            self._require_room(self._costly, costly_share(self._most), photo=True)
            self._costly += 1
        metrics.IN_FLIGHT.inc()
        try:
            yield
        finally:
            metrics.IN_FLIGHT.dec()
            with self._lock:
                self._costly -= 1

"""Stops sending requests to photo servers that keep failing (a circuit breaker)."""

import time
from collections import Counter
from threading import Lock

from indexer.errors import HostError


class Hosts:
    """Counts consecutive failures of each host; those of concurrent requests count once.

    Thread-safe. A short outage that all concurrent downloads meet thus blocks no host.

    Args:
        patience: consecutive failures after which a host is blocked; None never blocks.
    """

    def __init__(self, patience: int | None) -> None:
        self._patience = patience
        self._lock = Lock()
        self._failures: Counter[str] = Counter()  # consecutive, by host
        self._counted: dict[str, float] = {}  # when the last of them was
        self._blocked: dict[str, tuple[str, str]] = {}  # host -> text and hint of its last failure

    def require(self, host: str) -> None:
        """Checks that the host is not blocked.

        Raises:
            HostError: it is blocked; the text is that of its last failure.
        """
        with self._lock:
            reason = self._blocked.get(host)
        if reason is not None:
            raise HostError(*reason)

    def failed(self, host: str, error: HostError, began: float) -> None:
        """Counts a failure, and blocks the host if they are too many.

        Args:
            host: that failed.
            error: of the request.
            began: when the request did, as `time.monotonic` tells.
        """
        with self._lock:
            if began < self._counted.get(host, began):
                return
            self._counted[host] = time.monotonic()
            self._failures[host] += 1
            if self._patience is not None and self._failures[host] >= self._patience:
                self._blocked.setdefault(host, (error.text, error.hint))

    def answered(self, host: str) -> None:
        """Resets the count: the host responded, whatever the status."""
        with self._lock:
            self._failures[host] = 0

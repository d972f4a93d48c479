"""Stops sending requests to photo servers that keep failing (a circuit breaker)."""

from collections import Counter
from threading import Lock

from indexer.errors import HostError


class Hosts:
    """Counts consecutive failures of each host. Thread-safe.

    Args:
        patience: consecutive failures after which a host is blocked; None never blocks.
    """

    def __init__(self, patience: int | None) -> None:
        self._patience = patience
        self._lock = Lock()
        self._failures: Counter[str] = Counter()  # consecutive, by host
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

    def failed(self, host: str, error: HostError) -> None:
        """Counts a failure, and blocks the host if they are too many."""
        with self._lock:
            self._failures[host] += 1
            if self._patience is not None and self._failures[host] >= self._patience:
                self._blocked.setdefault(host, (error.text, error.hint))

    def answered(self, host: str) -> None:
        """Resets the count: the host responded, whatever the status."""
        with self._lock:
            self._failures[host] = 0

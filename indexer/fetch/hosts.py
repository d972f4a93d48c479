"""Photo servers that fail: after a few failures in a row they are asked no more."""

from collections import Counter
from threading import Lock

from indexer.errors import HostError


class Hosts:
    """What became of the requests to each host. Thread-safe.

    Args:
        patience: failures in a row after which a host is asked no more; None asks for ever.
    """

    def __init__(self, patience: int | None) -> None:
        self._patience = patience
        self._lock = Lock()
        self._failures: Counter[str] = Counter()  # in a row
        self._left_alone: dict[str, tuple[str, str]] = {}  # and why

    def require(self, host: str) -> None:
        """Raises HostError, with the reason of the last failure, if the host is asked no more."""
        with self._lock:
            reason = self._left_alone.get(host)
        if reason is not None:
            raise HostError(*reason)

    def failed(self, host: str, error: HostError) -> None:
        """Counts a failure."""
        with self._lock:
            self._failures[host] += 1
            if self._patience is not None and self._failures[host] >= self._patience:
                self._left_alone.setdefault(host, (error.text, error.hint))

    def answered(self, host: str) -> None:
        """Ends the row of failures: the host is there, whatever it said."""
        with self._lock:
            self._failures[host] = 0

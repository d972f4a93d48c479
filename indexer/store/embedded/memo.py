"""Remembers what searches of one version computed."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

_MAX_BYTES = 32 << 20
# Of a key and the objects around the arrays of a value.
_ENTRY_BYTES = 4096
T = TypeVar("T")


class Memo:
    """Values by key, of which the least recently used are dropped. Thread-safe.

    Values must be immutable. Threads that ask for the same value at once may each compute it.

    Args:
        max_bytes: upper limit for the size of all entries.
    """

    def __init__(self, max_bytes: int = _MAX_BYTES) -> None:
        self.bytes = 0  # size of all entries
        self._max_bytes = max_bytes
        self._entries: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._changing = threading.Lock()

    def get(self, key: Hashable, compute: Callable[[], T], size: Callable[[T], int]) -> T:
        """Returns the value of a key, computing it unless it is remembered.

        Args:
            key: always of the same value.
            compute: returns the value.
            size: returns the bytes of a value.
        """
        with self._changing:
            if key in self._entries:
                self._entries.move_to_end(key)
                known: T = self._entries[key][0]
                return known
        value = compute()
        self._add(key, value, _ENTRY_BYTES + size(value))
        return value

    def _add(self, key: Hashable, value: object, size: int) -> None:
        if size > self._max_bytes:
            return
        with self._changing:
            if key in self._entries:
                return
            self._entries[key] = value, size
            self.bytes += size
            while self.bytes > self._max_bytes:
                self.bytes -= self._entries.popitem(last=False)[1][1]

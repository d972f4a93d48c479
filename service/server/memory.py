"""Delays requests with large bodies until memory is free; used by the main thread only."""

from collections import deque
from collections.abc import Callable

from indexer.images.memory import MIB

# Smaller bodies are not counted: one for each thread always fits.
_SMALL = MIB // 3
# A photo in base64 exists as bytes, as text and decoded.
_COPIES = 3
_MAX_WAITING = 64


class Memory:
    """Starts requests in order as memory becomes free.

    Args:
        size: bytes for all requests; a larger request gets all of it.
    """

    def __init__(self, size: int) -> None:
        self._size = self._free = size
        self._waiting: deque[tuple[int, Callable[[int], None]]] = deque()

    def is_full(self, body: int) -> bool:
        """Returns whether too many requests wait for one with a body of this size to wait too."""
        return body > _SMALL and len(self._waiting) >= _MAX_WAITING

    def start(self, body: int, begin: Callable[[int], None]) -> None:
        """Calls `begin` with the bytes held for a body of this size, as soon as they are free."""
        need = min(_COPIES * body, self._size) if body > _SMALL else 0
        if need:
            self._waiting.append((need, begin))
            self._begin()
        else:
            begin(0)

    def give_back(self, held: int) -> None:
        """Frees held bytes."""
        self._free += held
        self._begin()

    def _begin(self) -> None:
        while self._waiting and self._waiting[0][0] <= self._free:
            need, begin = self._waiting.popleft()
            self._free -= need
            begin(need)

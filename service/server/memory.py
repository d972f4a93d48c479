"""Large bodies get a thread once the memory that they take is free. Of the main thread alone."""

from collections import deque
from collections.abc import Callable

from indexer.images.memory import MIB

# Bodies up to this size count as nothing: as many as there are threads fit anywhere.
_SMALL = MIB // 3
# A photo in base64 is held as bytes, as text and decoded at worst.
_COPIES = 3


class Memory:
    """Starts requests in turn, as their memory is free.

    Args:
        size: bytes for all of them; a larger one gets all of it.
    """

    def __init__(self, size: int) -> None:
        self._size = self._free = size
        self._waiting: deque[tuple[int, Callable[[int], None]]] = deque()

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def start(self, body: int, begin: Callable[[int], None]) -> None:
        """Calls `begin` with what is held for a body of this size, now or once it is free."""
        need = min(_COPIES * body, self._size) if body > _SMALL else 0
        if need:
            self._waiting.append((need, begin))
            self._begin()
        else:
            begin(0)

    def give_back(self, held: int) -> None:
        """Frees what was held."""
        self._free += held
        self._begin()

    def _begin(self) -> None:
        while self._waiting and self._waiting[0][0] <= self._free:
            need, begin = self._waiting.popleft()
            self._free -= need
            begin(need)

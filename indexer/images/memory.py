"""The gate that keeps the memory of all decodes in this process within bounds."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition, Lock

MIB = 1024 * 1024

MEMORY = 232 * MIB  # of all decodes that run at one time in this process

_KEPT_BY_MALLOC = 16 * MIB


# glibc keeps freed memory for each thread that decoded: 900 MiB after 80 large photos on
# 8 threads, 40 MiB with this. Other C libraries have no such call and no such need.
_libc = ctypes.CDLL(None)
_malloc_trim = getattr(_libc, "malloc_trim", lambda _: 0)
# As it frees large blocks, glibc raises the size from which one goes back to the system at once,
# to 32 MiB, unless it is told. Of 10,000 photos on 8 connections the peak over the idle level was
# 222 to 277 MiB, 80 to 106 with this; decoding and embedding take the same time.
_M_MMAP_THRESHOLD = -3
getattr(_libc, "mallopt", lambda *_: 0)(_M_MMAP_THRESHOLD, MIB)


def trim() -> None:
    """Gives memory that large blocks left free back to the system."""
    _malloc_trim(0)


class MemoryGate:
    """Lets decodes run side by side as long as their memory fits, first come first served."""

    def __init__(self, size: int) -> None:
        self._free = size
        self._turn = Lock()
        self._changed = Condition()

    @contextmanager
    def hold(self, size: int) -> Iterator[None]:
        """Wait until `size` bytes are free, which must be no more than the gate has."""
        with self._turn, self._changed:
            self._changed.wait_for(lambda: self._free >= size)
            self._free -= size
        try:
            yield
        finally:
            if size > _KEPT_BY_MALLOC:
                trim()
            with self._changed:
                self._free += size
                self._changed.notify()


gate = MemoryGate(MEMORY)

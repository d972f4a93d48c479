"""Limits the memory of all decodes that run at the same time in this process."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition, Lock

MIB = 1024 * 1024

MEMORY = 232 * MIB  # of all decodes that run at the same time in this process

_TRIM_FROM = 16 * MIB  # decodes of at least this size return their memory to the system

# glibc keeps freed memory per thread: 900 MiB after 80 large photos on 8 threads, 40 MiB with
# this call. Other C libraries neither have the call nor need it.
_libc = ctypes.CDLL(None)
_malloc_trim = getattr(_libc, "malloc_trim", lambda _: 0)
# glibc raises the size from which a freed block returns to the system, up to 32 MiB, unless it
# is set. With 10,000 photos on 8 connections the peak over the idle level was 222 to 277 MiB, and
# 80 to 106 MiB with a fixed size; decoding and embedding take the same time.
_M_MMAP_THRESHOLD = -3
getattr(_libc, "mallopt", lambda *_: 0)(_M_MMAP_THRESHOLD, MIB)


def trim() -> None:
    """Returns freed memory to the system."""
    _malloc_trim(0)


class MemoryGate:
    """Admits decodes while their memory fits, in the order of their arrival."""

    def __init__(self, size: int) -> None:
        self._size = self._free = size
        self._turn = Lock()
        self._changed = Condition()

    def resize(self, size: int) -> None:
        """Changes the size of the gate, before it is used."""
        self._size = self._free = size

    @contextmanager
    def hold(self, size: int) -> Iterator[None]:
        """Reserves `size` bytes, or the whole gate for more; blocks until they are free."""
        size = min(size, self._size)
        with self._turn, self._changed:
            self._changed.wait_for(lambda: self._free >= size)
            self._free -= size
        try:
            yield
        finally:
            if size > _TRIM_FROM:
                trim()
            with self._changed:
                self._free += size
                self._changed.notify()


gate = MemoryGate(MEMORY)

"""A lock for one writer at a time, which the system releases when the process ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from indexer.errors import LockedError
from indexer.files import storage_error

FILE_NAME = "writer.lock"


@contextmanager
def writer_lock(folder: Path) -> Iterator[None]:
    """Holds the lock of a folder; the lock file contains the pid of the holder.

    Raises:
        LockedError: another process holds the lock.
        StorageError: the lock file cannot be created.
    """
    path = folder / FILE_NAME
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise storage_error(f"{path}: cannot be created", error) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 20).decode(errors="replace").strip()
            raise LockedError(str(path), int(holder) if holder.isdigit() else None) from None
        with suppress(OSError):  # a full disk must not stop a writer that frees space
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        with suppress(OSError):
            os.close(descriptor)

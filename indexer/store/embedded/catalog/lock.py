"""One writer at a time, by a lock that the system frees when the process dies."""

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
    """Holds the folder's lock; its file names the holder's pid.

    Raises:
        LockedError: another process holds it.
        StorageError: the file of the lock cannot be made.
    """
    path = folder / FILE_NAME
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise storage_error(f"{path}: cannot be made", error) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 20).decode(errors="replace").strip()
            raise LockedError(str(path), int(holder) if holder.isdigit() else None) from None
        with suppress(OSError):  # a full disk need not stop a writer who frees room
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        with suppress(OSError):
            os.close(descriptor)

"""Atomic, durable writes, the writer lock of a folder, and errors of the storage."""

import errno
import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from indexer.errors import CatalogError, DiskFullError, LockedError, ReadOnlyError, StorageError

LOCK = "writer.lock"  # name of the lock file in a folder
_POLL_S = 0.02
_TEST_S = 0.05  # for which `writer_of` may hold the lock, at most
_KINDS: dict[int, type[CatalogError]] = {
    errno.ENOSPC: DiskFullError,
    errno.EDQUOT: DiskFullError,
    errno.EROFS: ReadOnlyError,
}


@contextmanager
def replacing(path: Path, *, mode: int = 0o644, durable: bool = True) -> Iterator[IO[bytes]]:
    """Opens a file that replaces `path` atomically when the block ends.

    `path` holds either the old file or the complete new one. If the block raises, the old file
    remains.

    Args:
        path: target, in an existing folder.
        mode: permissions of the new file.
        durable: flush the new file to disk before returning.

    Raises:
        OSError: the file cannot be written.
    """
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        sync(path.parent)


def write_atomically(path: Path, data: bytes, *, mode: int = 0o644, durable: bool = True) -> None:
    """Writes `data` to a file that replaces `path` atomically; see `replacing`."""
    with replacing(path, mode=mode, durable=durable) as file:
        file.write(data)


def require_writable(path: Path) -> None:
    """Raises OSError if `write_atomically` could not create a file in the folder of `path`."""
    with tempfile.TemporaryFile(dir=path.absolute().parent):
        pass


def sync(path: Path) -> None:
    """Flushes a file, or the entries of a folder, to disk.

    Raises:
        OSError: flushing failed; what was written may be lost.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def writer_lock(folder: Path, wait_s: float = 0) -> Iterator[None]:
    """Holds the lock of a folder, for one writer at a time.

    The system releases it when the process ends. The lock file contains the pid of the holder.

    Args:
        folder: to write to.
        wait_s: seconds to wait for another holder.

    Raises:
        LockedError: another process holds the lock.
        StorageError: the lock file cannot be created.
    """
    path = folder / LOCK
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise storage_error(f"{path}: cannot be created", error) from error
    try:
        if not _locked(descriptor, max(wait_s, _TEST_S)):
            raise LockedError(str(path), _pid(descriptor))
        with suppress(OSError):  # a full disk must not stop a writer that frees space
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        with suppress(OSError):
            os.close(descriptor)


def writer_of(folder: Path) -> int | None:
    """Returns the pid of the process that holds the lock of a folder; None if there is none."""
    try:
        descriptor = os.open(folder / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # released by closing, at once
    except BlockingIOError:
        return _pid(descriptor)
    finally:
        os.close(descriptor)
    return None


def _locked(descriptor: int, wait_s: float) -> bool:
    """Locks a file; returns whether it succeeded in this time."""
    end = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                return False
            time.sleep(_POLL_S)
        else:
            return True


def _pid(descriptor: int) -> int | None:
    holder = os.pread(descriptor, 20, 0).decode(errors="replace").strip()
    return int(holder) if holder.isdigit() else None


def storage_error(
    what: str, error: OSError, other: type[CatalogError] = StorageError
) -> CatalogError:
    """Converts an operating system error to an error of the catalogue.

    Args:
        what: what failed, as the start of the text.
        error: the cause.
        other: class of the result if the disk is neither full nor read-only.
    """
    kind = _KINDS.get(error.errno or 0, other)
    return kind(f"{what}: {error.strerror or error}")

"""Files that are written whole and survive a power cut, and why a disk refuses to store them."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from indexer.errors import CatalogError, DiskFullError, ReadOnlyError, StorageError

_KINDS: dict[int, type[CatalogError]] = {
    errno.ENOSPC: DiskFullError,
    errno.EDQUOT: DiskFullError,
    errno.EROFS: ReadOnlyError,
}


@contextmanager
def replacing(path: Path, *, mode: int = 0o644, durable: bool = True) -> Iterator[IO[bytes]]:
    """A file to write to, which takes the place of `path` at the end.

    At `path` is the old file, or all of the new one. If the block raises, the old file stays.

    Args:
        path: in a folder that exists.
        mode: permissions of the file.
        durable: whether the new file is on the disk when the block has ended.

    Raises:
        OSError: it cannot be written.
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
    """As `replacing`, with all bytes at once."""
    with replacing(path, mode=mode, durable=durable) as file:
        file.write(data)


def sync(path: Path) -> None:
    """Flushes a file, or the names in a folder, to the disk.

    Raises:
        OSError: it cannot be; what was written may be lost.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def storage_error(
    what: str, error: OSError, other: type[CatalogError] = StorageError
) -> CatalogError:
    """The error that says what the system does not let be read or written, and why.

    Args:
        other: its class where the disk is neither full nor read-only.
    """
    kind = _KINDS.get(error.errno or 0, other)
    return kind(f"{what}: {error.strerror or error}")

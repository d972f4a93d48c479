"""What SQLite's errors mean: a full or read-only disk, a file that is gone, or damage."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from indexer.errors import (
    CatalogError,
    CatalogMissingError,
    DiskFullError,
    ReadOnlyError,
    StorageError,
)
from indexer.store.embedded.catalog.checksums import DamagedError

# Extended codes, where they say more than their lower byte, the primary code. Each of these may
# be said of a file that is whole. As our statements are right, every other code means damage.
_KINDS: dict[int, type[StorageError]] = {
    sqlite3.SQLITE_BUSY: StorageError,
    sqlite3.SQLITE_CANTOPEN: StorageError,
    sqlite3.SQLITE_FULL: DiskFullError,
    sqlite3.SQLITE_INTERRUPT: StorageError,
    sqlite3.SQLITE_IOERR: StorageError,
    sqlite3.SQLITE_IOERR_SHMSIZE: DiskFullError,
    sqlite3.SQLITE_LOCKED: StorageError,
    sqlite3.SQLITE_NOMEM: StorageError,
    sqlite3.SQLITE_PERM: StorageError,
    sqlite3.SQLITE_PROTOCOL: StorageError,
    sqlite3.SQLITE_READONLY: ReadOnlyError,
    sqlite3.SQLITE_READONLY_DBMOVED: CatalogMissingError,
}
_ADVICE: dict[type[StorageError], str] = {
    DiskFullError: "; make room and try again, what was reported as stored is stored",
    ReadOnlyError: "; the disk is mounted read-only, or this user may not write to it",
}
# What comes of reading a damaged file: SQLite quotes a damaged schema in its messages.
READING = (sqlite3.Error, UnicodeDecodeError)


@contextmanager
def errors_named(
    path: Path, expected: tuple[type[Exception], ...] = (sqlite3.Error,)
) -> Iterator[None]:
    """Makes SQLite's errors those of a catalogue, with the file's name.

    Raises:
        StorageError: the disk does not let it be read or written now.
        DamagedError: the file is not what was written.
    """
    try:
        yield
    except expected as error:
        raise _named(path, error) from error


def _named(path: Path, error: Exception) -> CatalogError:
    # None if what should be text is none.
    code: int | None = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return DamagedError(f"{path}: {error}")
    kind = _KINDS.get(code) or _KINDS.get(code & 0xFF)
    if kind is None:
        return DamagedError(f"{path}: {error}")
    return kind(f"{path}: {error}{_ADVICE.get(kind, '')}")

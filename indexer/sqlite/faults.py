"""Translates SQLite's errors: full or read-only disk, deleted file, or damage."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from indexer.errors import (
    CatalogError,
    CatalogMissingError,
    DamagedError,
    DiskFullError,
    ReadOnlyError,
    StorageError,
)

# Codes that can occur with an intact file, by primary code (the lower byte) or, if that is more
# specific, extended code. All other codes mean damage, because the statements are correct.
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
    DiskFullError: "; free some space and try again; everything reported as stored is intact",
    ReadOnlyError: "; the disk is mounted read-only, or this user has no write permission",
}
# Errors on reading a damaged file: SQLite quotes a damaged schema in its messages.
READING = (sqlite3.Error, UnicodeDecodeError)


@contextmanager
def errors_named(
    path: Path, expected: tuple[type[Exception], ...] = (sqlite3.Error,)
) -> Iterator[None]:
    """Translates SQLite's errors to errors of the catalogue that name the file.

    Args:
        path: of the file.
        expected: errors to translate.

    Raises:
        StorageError: the disk refuses reads or writes at the moment.
        DamagedError: the file is damaged.
    """
    try:
        yield
    except expected as error:
        raise named(path, error) from error


def named(path: Path, error: Exception) -> CatalogError:
    """Returns the error of the library for an error of SQLite; its text names the file."""
    # None for a UnicodeDecodeError.
    code: int | None = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return DamagedError(f"{path}: {error}")
    kind = _KINDS.get(code) or _KINDS.get(code & 0xFF)
    if kind is None:
        return DamagedError(f"{path}: {error}")
    return kind(f"{path}: {error}{_ADVICE.get(kind, '')}")

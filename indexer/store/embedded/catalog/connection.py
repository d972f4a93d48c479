"""Connections to the file of a catalogue, on disks that can be written and on those that cannot.

SQLite reads a file in write-ahead mode only with its log and shared memory beside it, which it
makes where they are absent. On a read-only disk it cannot, so a file without a log is opened as
one that nobody changes. That may be wrong: another process may write through another mount of
the same disk. Such a connection therefore notes what the file looked like.
"""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from indexer.errors import ReadOnlyError
from indexer.store.embedded.catalog.checksums import teach
from indexer.store.embedded.catalog.wal import set_wal

# How long a connection waits for another one's commit; commits take milliseconds.
_BUSY_TIMEOUT_S = 10.0


class _Look(NamedTuple):
    """What tells whether a file was written to."""

    inode: int
    size: int
    modified_ns: int
    log_size: int


class Opened:
    """A connection. Every one of them is closed by whoever uses it."""

    def __init__(self, path: Path, connection: sqlite3.Connection, look: _Look | None) -> None:
        self.connection = connection
        self._path = path
        self._look = look  # None where SQLite itself notices changes

    @property
    def is_current(self) -> bool:
        """False if the file was changed in a way that this connection cannot see."""
        return self._look is None or self._look == _look(self._path)

    def close(self) -> None:
        self.connection.close()


def connect(path: Path, *, create: bool = False) -> Opened:
    """Opens a catalogue's file; makes it only if `create` is set.

    Raises:
        sqlite3.Error: it cannot be opened, or is not a database.
        ReadOnlyError: it cannot be written, and its log cannot be read without.
    """
    try:
        connection = _open(path, "rwc" if create else "rw", _prepare)
        return Opened(path, connection, None)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in (
            sqlite3.SQLITE_CANTOPEN,
            sqlite3.SQLITE_READONLY,
        ) or os.access(path.parent, os.W_OK):
            raise
        look = _look(path)
        if look is None:
            raise
        if look.log_size:
            raise ReadOnlyError(
                f"{path}: has changes in {path.name}-wal, which cannot be read on a read-only"
                " disk: run `python -m indexer status` once where it can be written, or serve a"
                " copy made by `snapshot create`"
            ) from error
    return Opened(path, _open(path, "ro&immutable=1", teach), look)


def _open(
    path: Path, mode: str, prepare: Callable[[sqlite3.Connection], None]
) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=_BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    # Of a new file: 7 vectors fill such a page, one would waste half of the usual size.
    connection.execute("PRAGMA page_size = 16384")
    set_wal(connection, _BUSY_TIMEOUT_S)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    teach(connection)


def _look(path: Path) -> _Look | None:
    try:
        status = path.stat()
    except OSError:
        return None
    try:
        log_size = path.with_name(f"{path.name}-wal").stat().st_size
    except FileNotFoundError:
        log_size = 0
    return _Look(status.st_ino, status.st_size, status.st_mtime_ns, log_size)

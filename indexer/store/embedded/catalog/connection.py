"""Connections to the file of a catalogue, on writable, full and read-only disks.

In write-ahead mode SQLite needs the log and the shared-memory file next to the database, and
creates them if missing. It cannot do so on a full or read-only disk, so a database without a log
is opened as immutable there. Another process may still change it through another mount of the same
disk, so such a connection remembers the state of the file.
"""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from indexer.errors import ReadOnlyError
from indexer.sqlite.wal import set_wal
from indexer.store.embedded.catalog.checksums import register_checksum

# Maximum wait for the commit of another connection; commits take milliseconds.
_BUSY_TIMEOUT_S = 10.0


class _FileState(NamedTuple):
    """The state of a file, which changes when it is written to."""

    inode: int
    size: int
    modified_ns: int
    log_size: int


class Opened:
    """An open connection; the caller closes it.

    Args:
        path: of the file.
        connection: to the file.
        state: of the file when it was opened; None if SQLite itself detects changes.
    """

    def __init__(
        self, path: Path, connection: sqlite3.Connection, state: _FileState | None
    ) -> None:
        self.connection = connection
        self._path = path
        self._state = state

    @property
    def is_current(self) -> bool:
        """False if the file was changed in a way that this connection does not detect."""
        return self._state is None or self._state == _state_of(self._path)

    def close(self) -> None:
        """Closes the connection."""
        self.connection.close()


def connect(path: Path, *, create: bool = False, write: bool = False) -> Opened:
    """Opens a catalogue's file.

    Args:
        path: of the file.
        create: create the file if it does not exist, and write to it.
        write: write to it.

    Raises:
        sqlite3.Error: the file cannot be opened, or is not a database.
        ReadOnlyError: the disk is read-only, and the file has a log that requires writing.
    """
    try:
        connection = _open(path, "rwc" if create else "rw", _prepare)
        return Opened(path, connection, None)
    except sqlite3.OperationalError as error:
        state = _state_of(path)
        full = error.sqlite_errorcode == sqlite3.SQLITE_IOERR_SHMSIZE
        if state is None or not (full or _is_read_only(error, path)):
            raise
        if full and (create or write or state.log_size):
            raise
        if state.log_size:
            raise ReadOnlyError(
                f"{path}: has changes in {path.name}-wal, which cannot be read on a read-only"
                " disk: run `python -m indexer status` once with write access, or serve a copy"
                " made by `snapshot create`"
            ) from error
    return Opened(path, _open(path, "ro&immutable=1", register_checksum), state)


def _is_read_only(error: sqlite3.OperationalError, path: Path) -> bool:
    codes = sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY
    return error.sqlite_errorcode & 0xFF in codes and not os.access(path.parent, os.W_OK)


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
    # For new files: 7 vectors fill such a page; one vector would waste half a default page.
    connection.execute("PRAGMA page_size = 16384")
    set_wal(connection, _BUSY_TIMEOUT_S)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    register_checksum(connection)


def _state_of(path: Path) -> _FileState | None:
    try:
        status = path.stat()
    except OSError:
        return None
    try:
        log_size = path.with_name(f"{path.name}-wal").stat().st_size
    except FileNotFoundError:
        log_size = 0
    return _FileState(status.st_ino, status.st_size, status.st_mtime_ns, log_size)

"""Opening a catalogue, to read from it or to write to it."""

import sqlite3
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from indexer.catalog.lock import writer_lock
from indexer.catalog.schema import migrate
from indexer.catalog.snapshot import CatalogSnapshot
from indexer.catalog.writer import CatalogWriter
from indexer.errors import CatalogError

FILE_NAME = "catalog.db"
# How long a connection waits for another one's commit; commits take milliseconds.
_BUSY_TIMEOUT_S = 10.0


class Catalog:
    """The catalogue of one collection. Any number of threads may read from one object.

    Args:
        folder: the collection's folder.
        create: make folder and catalogue where they are absent.

    Raises:
        CatalogError: there is none (and `create` is off), or it cannot be opened.
    """

    def __init__(self, folder: Path, *, create: bool = False) -> None:
        self.folder = folder
        self.path = folder / FILE_NAME
        self._idle: deque[sqlite3.Connection] = deque()
        if not create and not self.path.is_file():
            raise CatalogError(f"no catalogue at {self.path}; add products first")
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CatalogError(f"cannot make the folder of the catalogue: {error}") from error
        with self._errors_named():
            connection = self._connect()
            migrate(connection)
            self._idle.append(connection)

    @contextmanager
    def snapshot(self) -> Iterator[CatalogSnapshot]:
        """The catalogue as of one `seq`, whatever is written meanwhile. Keep it short."""
        with self._errors_named():
            connection = self._idle.pop() if self._idle else self._connect()
            connection.execute("BEGIN")
            try:
                yield CatalogSnapshot(connection)
            finally:
                connection.rollback()
                self._idle.append(connection)

    @contextmanager
    def writer(self) -> Iterator[CatalogWriter]:
        """The one writer of this collection.

        Raises:
            LockedError: another process is writing.
        """
        with self._errors_named(), writer_lock(self.folder):
            connection = self._connect()
            try:
                yield CatalogWriter(connection)
                # Empties the write-ahead log, or leaves it to a later writer if someone reads it.
                connection.execute("PRAGMA busy_timeout = 0")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                connection.close()

    def close(self) -> None:
        """Closes the connections that no one uses."""
        while self._idle:
            self._idle.pop().close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        return connection

    @contextmanager
    def _errors_named(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise CatalogError(f"{self.path}: {error}") from error

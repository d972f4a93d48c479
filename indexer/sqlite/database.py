"""An SQLite file beside the catalogues, written by every process of the service."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from indexer.errors import DiskFullError, ImageSearchError, ReadOnlyError
from indexer.files import storage_error
from indexer.sqlite.faults import named
from indexer.sqlite.wal import set_wal

MIB = 1024 * 1024
_BUSY_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Failures:
    """The classes of what is raised for errors of the system."""

    other: type[ImageSearchError]
    disk_full: type[DiskFullError]
    read_only: type[ReadOnlyError]

    def of(self, path: Path, error: OSError | sqlite3.Error) -> ImageSearchError:
        """Returns what to raise for an error of a file."""
        told = storage_error("", error) if isinstance(error, OSError) else named(path, error)
        kinds: dict[type[ImageSearchError], type[ImageSearchError]] = {
            DiskFullError: self.disk_full,
            ReadOnlyError: self.read_only,
        }
        kind = kinds.get(type(told), self.other)
        return kind(f"{path}: {getattr(error, 'strerror', None) or error}")


class Database:
    """One file, created on the first write. Commits are durable. Thread-safe.

    Args:
        path: of the file, in an existing folder.
        schema: statements that create its tables if they do not exist.
        failures: what is raised if the file cannot be read or written.
    """

    def __init__(self, path: Path, schema: Sequence[str], failures: Failures) -> None:
        self.path = path
        self._schema = schema
        self._failures = failures
        self._lock = Lock()
        self._db: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None  # identity of the open file

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Commits what the block does; rolls it back if the block raises.

        Raises:
            ImageSearchError: one of `failures`.
        """
        with self._lock:
            try:
                if self._db is not None and self._identity() != self._file:
                    self._db.close()  # the data folder was moved or replaced
                    self._db = None
                if self._db is None:
                    self._db = self._opened()
                    self._file = self._identity()
                with self._db:  # commits, or rolls back
                    yield self._db
            except (OSError, sqlite3.Error) as error:
                raise self._failures.of(self.path, error) from error

    def select(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Runs a SELECT and returns its rows; none if nothing was ever stored."""
        if self._db is None and not self.path.is_file():
            return []
        with self.transaction() as db:
            return db.execute(statement, values).fetchall()

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            if self._db:
                self._db.close()
                self._db = None

    def _identity(self) -> tuple[int, int] | None:
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino

    def _opened(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=_BUSY_TIMEOUT_S, check_same_thread=False)
        try:
            set_wal(connection, _BUSY_TIMEOUT_S)
            connection.execute("PRAGMA synchronous = FULL")
            for statement in self._schema:
                connection.execute(statement)
        except BaseException:
            connection.close()
            raise
        return connection


def used_bytes(db: sqlite3.Connection) -> int:
    """Returns the size of the file without its free pages."""
    pages, free, size = (
        db.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)

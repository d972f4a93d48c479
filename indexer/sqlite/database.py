"""An SQLite file beside the catalogues, written by every process of the service."""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from indexer.errors import DiskFullError, ImageSearchError, ReadOnlyError
from indexer.files import storage_error
from indexer.sqlite.faults import READING, errors_named, named
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
        # SQLite does not tell why it cannot open or create the file.
        cannot_open = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_CANTOPEN
        if cannot_open and path.parent.is_dir() and not os.access(path.parent, os.W_OK):
            return self.read_only(
                f"{path}: cannot be opened: the disk is mounted read-only, or this user has no"
                " write permission"
            )
        told = storage_error("", error) if isinstance(error, OSError) else named(path, error)
        kinds: dict[type[ImageSearchError], type[ImageSearchError]] = {
            DiskFullError: self.disk_full,
            ReadOnlyError: self.read_only,
        }
        kind = kinds.get(type(told), self.other)
        return kind(f"{path}: {getattr(error, 'strerror', None) or error}")


class Database:
    """One file, created on the first write. Commits are durable. Thread-safe.

    Reads have a connection of their own, so that they do not wait for a writer.

    Args:
        path: of the file, in an existing folder.
        schema: statements that create its tables if they do not exist.
        failures: what is raised if the file cannot be read or written.
    """

    def __init__(self, path: Path, schema: Sequence[str], failures: Failures) -> None:
        self.path = path
        self._failures = failures
        self._writing = _Connection(path, schema)
        self._reading = _Connection(path, schema)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Commits what the block does; rolls it back if the block raises.

        Raises:
            ImageSearchError: one of `failures`.
        """
        with self._locked(self._writing) as db, db:  # commits, or rolls back
            yield db

    def select(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Runs a SELECT and returns its rows; none if nothing was ever stored."""
        if not self._reading.is_open and not self.path.is_file():
            return []
        with self._locked(self._reading) as db:
            return db.execute(statement, values).fetchall()

    def close(self) -> None:
        """Closes the file."""
        self._writing.close()
        self._reading.close()

    @contextmanager
    def _locked(self, connection: "_Connection") -> Iterator[sqlite3.Connection]:
        try:
            with connection.lock:
                yield connection.current()
        except (OSError, sqlite3.Error) as error:
            raise self._failures.of(self.path, error) from error


class _Connection:
    """A connection that is opened on first use, and again if the file is replaced."""

    def __init__(self, path: Path, schema: Sequence[str]) -> None:
        self.lock = Lock()
        self._path = path
        self._schema = schema
        self._db: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None  # identity of the open file

    @property
    def is_open(self) -> bool:
        """Whether the file was opened."""
        return self._db is not None

    def current(self) -> sqlite3.Connection:
        """Returns the connection to the file at the path; the caller holds `lock`."""
        if self._db is not None and self._identity() != self._file:
            self._db.close()  # the data folder was moved or replaced
            self._db = None
        if self._db is None:
            self._db = self._opened()
            self._file = self._identity()
        return self._db

    def close(self) -> None:
        with self.lock:
            if self._db:
                self._db.close()
                self._db = None

    def _identity(self) -> tuple[int, int] | None:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino

    def _opened(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=_BUSY_TIMEOUT_S, check_same_thread=False)
        try:
            set_wal(connection, _BUSY_TIMEOUT_S)
            connection.execute("PRAGMA synchronous = FULL")
            for statement in self._schema:
                connection.execute(statement)
        except BaseException:
            connection.close()
            raise
        return connection


def copy_database(source: Path, target: Path) -> None:
    """Copies a database as of one moment to a new file, while others write to it.

    Raises:
        StorageError: the disk refuses to read or write.
        DamagedError: the source is damaged.
    """
    with (
        errors_named(source, READING),
        closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as original,
        closing(sqlite3.connect(target)) as copy,
    ):
        original.backup(copy)


def used_bytes(db: sqlite3.Connection) -> int:
    """Returns the size of the file without its free pages."""
    pages, free, size = (
        db.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)

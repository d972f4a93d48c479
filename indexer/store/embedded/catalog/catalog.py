"""Opening a catalogue, to read from it or to write to it."""

import sqlite3
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from indexer.errors import CatalogError
from indexer.store.embedded.catalog.checksums import DamagedError, teach
from indexer.store.embedded.catalog.lock import writer_lock
from indexer.store.embedded.catalog.mark import MarkFile
from indexer.store.embedded.catalog.schema import migrate
from indexer.store.embedded.catalog.snapshot import CatalogSnapshot
from indexer.store.embedded.catalog.wal import set_wal
from indexer.store.embedded.catalog.writer import CatalogWriter

FILE_NAME = "catalog.db"
# How long a connection waits for another one's commit; commits take milliseconds.
_BUSY_TIMEOUT_S = 10.0
# What SQLite may say of a file that is whole. As our statements are right, all else is damage.
_PASSING = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_READONLY,
}

# What comes of reading a damaged file: SQLite quotes a damaged schema in its messages.
_READING = (sqlite3.Error, UnicodeDecodeError)


class Catalog:
    """The catalogue of one collection. Any number of threads may read from one object.

    Args:
        folder: the collection's folder.
        create: make folder and catalogue where they are absent.

    Raises:
        CatalogError: there is none (and `create` is off), or it cannot be opened.
        DamagedError: it is not what was written.
    """

    def __init__(self, folder: Path, *, create: bool = False) -> None:
        self.folder = folder
        self.path = folder / FILE_NAME
        self.mark = MarkFile(folder)
        self._idle: deque[sqlite3.Connection] = deque()
        if not create and not self.path.is_file():
            raise CatalogError(f"no catalogue at {self.path}; add products first")
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CatalogError(f"cannot make the folder of the catalogue: {error}") from error
        mark = self.mark.read()
        try:
            with self._errors_named(_READING):
                self._idle.append(self._connect())
                migrate(self._idle[0])
                self._inode = self.path.stat().st_ino
            with self.snapshot() as snapshot:
                if mark and snapshot.seq < mark.seq:
                    raise DamagedError(
                        f"{self.path}: ends at seq {snapshot.seq}, but {self.mark.path.name} tells"
                        f" of {mark.seq}; the file or its write-ahead log was replaced, cut or"
                        " damaged: put both back, or restore a snapshot"
                    )
        except CatalogError:
            self.close()
            raise

    @contextmanager
    def snapshot(self) -> Iterator[CatalogSnapshot]:
        """The catalogue as of one `seq`, whatever is written meanwhile. Keep it short."""
        self._require_same_file()
        with self._errors_named(_READING):
            connection = self._idle.pop() if self._idle else self._connect()
            try:
                connection.execute("BEGIN")
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
                yield CatalogWriter(connection, self.mark)
                _empty_the_log(connection)
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
        try:
            # Of a new file: 7 vectors fill such a page, one would waste half of the usual size.
            connection.execute("PRAGMA page_size = 16384")
            set_wal(connection, _BUSY_TIMEOUT_S)
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
        except BaseException:
            connection.close()
            raise
        teach(connection)
        return connection

    def _require_same_file(self) -> None:
        """Open connections would go on with the file that was here before."""
        try:
            inode = self.path.stat().st_ino
        except OSError as error:
            raise CatalogError(f"{self.path}: is gone: {error.strerror}") from error
        if inode != self._inode:
            raise CatalogError(f"{self.path}: was replaced; start this process again")

    @contextmanager
    def _errors_named(
        self, expected: tuple[type[Exception], ...] = (sqlite3.Error,)
    ) -> Iterator[None]:
        try:
            yield
        except expected as error:
            # None if what should be text is none.
            code = getattr(error, "sqlite_errorcode", None)
            passing = code is not None and code & 0xFF in _PASSING
            raise (CatalogError if passing else DamagedError)(f"{self.path}: {error}") from error


def _empty_the_log(connection: sqlite3.Connection) -> None:
    """Leaves it to a later writer if someone reads from it, or if the disk is full."""
    connection.execute("PRAGMA busy_timeout = 0")
    with suppress(sqlite3.OperationalError):  # what was written is stored all the same
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

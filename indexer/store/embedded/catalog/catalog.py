"""Opens a catalogue for reading and writing."""

import sqlite3
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from indexer.errors import CatalogError, CatalogMissingError, DamagedError, StorageError
from indexer.files import storage_error, writer_lock
from indexer.sqlite.faults import READING, errors_named
from indexer.store.embedded.catalog.connection import Opened, connect
from indexer.store.embedded.catalog.high_water_mark import HighWaterMarkFile
from indexer.store.embedded.catalog.reader import CatalogReader
from indexer.store.embedded.catalog.schema import migrate
from indexer.store.embedded.catalog.writer import CatalogWriter

FILE_NAME = "catalog.db"


class Catalog:
    """The catalogue of one collection. Thread-safe for reading.

    Args:
        folder: the collection's folder.
        create: create folder and catalogue if they do not exist.
        wait_s: seconds that `writer` waits for another process.

    Attributes:
        damage: the first damage that a reader of this object met, "" if none. It is kept because
            a later reader may not meet it: its connection may have the pages in memory.

    Raises:
        CatalogMissingError: the catalogue does not exist and `create` is False.
        StorageError: the disk refuses to open or create it.
        DamagedError: the catalogue is damaged.
    """

    def __init__(self, folder: Path, *, create: bool = False, wait_s: float = 0) -> None:
        self.folder = folder
        self.path = folder / FILE_NAME
        self.high_water_mark = HighWaterMarkFile(folder)
        self._wait_s = wait_s
        self._idle: deque[Opened] = deque()
        self.damage = ""
        self._closed = False
        self._last_seq = 0  # highest one read; a lower one later means another file
        if create:
            _create_folder(folder)
        elif not self.path.is_file():
            raise CatalogMissingError(
                f"no catalogue at {self.path}; add products first, or correct storage.data_dir"
            )
        mark = self.high_water_mark.read()
        try:
            with errors_named(self.path, READING):
                self._idle.append(connect(self.path, create=create))
                migrate(self._idle[0].connection)
                self._file = self._identity()
            with self.reader() as reader:
                if mark and reader.seq < mark.seq:
                    raise DamagedError(
                        f"{self.path}: ends at seq {reader.seq}, but"
                        f" {self.high_water_mark.path.name} records {mark.seq}; the file or its"
                        " write-ahead log was replaced, truncated or damaged: put both back, or"
                        " restore a snapshot"
                    )
        except CatalogError:
            self.close()
            raise

    @contextmanager
    def reader(self) -> Iterator[CatalogReader]:
        """Opens a consistent read of the current `seq`. Keep it short.

        Raises:
            CatalogMissingError: the file was deleted or replaced.
            StorageError: the disk refuses to read at the moment.
            DamagedError: the catalogue is damaged.
        """
        try:
            with self._reader() as reader:
                yield reader
        except DamagedError as error:
            self.damage = self.damage or str(error)
            raise

    @contextmanager
    def _reader(self) -> Iterator[CatalogReader]:
        self._require_same_file()
        last_seq = self._last_seq
        with errors_named(self.path, READING):
            opened = self._acquire()
            try:
                opened.connection.execute("BEGIN")
                reader = CatalogReader(opened.connection)
                if reader.seq < last_seq:
                    raise self._replaced()
                self._last_seq = max(self._last_seq, reader.seq)
                yield reader
            finally:
                opened.connection.rollback()
                self._release(opened)

    @contextmanager
    def writer(self) -> Iterator[CatalogWriter]:
        """Opens the writer of this collection.

        Raises:
            LockedError: another process is writing.
            StorageError: the disk refuses to write.
        """
        with errors_named(self.path), writer_lock(self.folder, self._wait_s):
            opened = connect(self.path, write=True)
            try:
                # Of statement journals, which would write 140 kB to temporary files for each image.
                opened.connection.execute("PRAGMA temp_store = MEMORY")
                yield CatalogWriter(opened.connection, self.high_water_mark)
                _truncate_log(opened.connection)
            finally:
                opened.close()

    def close(self) -> None:
        """Closes the connections; those in use are closed when they are released."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    def _acquire(self) -> Opened:
        """Returns a connection that sees the current file."""
        while self._idle:
            with suppress(IndexError):  # another thread took the last one
                opened = self._idle.pop()
                if opened.is_current:
                    return opened
                opened.close()
        return connect(self.path)

    def _release(self, opened: Opened) -> None:
        """Returns a connection for reuse.

        Raises:
            StorageError: the file was changed meanwhile, so that the reads may be inconsistent.
        """
        current = opened.is_current
        if self._closed or not current:
            opened.close()
        else:
            self._idle.append(opened)
        if not current:
            raise StorageError(f"{self.path}: was changed while it was read; try again")

    def _identity(self) -> tuple[int, int]:
        status = self.path.stat()
        return status.st_dev, status.st_ino

    def _require_same_file(self) -> None:
        """Checks the file, because open connections would continue with a deleted one."""
        try:
            same = self._identity() == self._file
        except FileNotFoundError:
            raise CatalogMissingError(f"{self.path}: was deleted; put it back") from None
        except OSError as error:
            raise storage_error(f"{self.path}: cannot be read", error) from error
        if not same:
            raise self._replaced()

    def _replaced(self) -> CatalogMissingError:
        return CatalogMissingError(f"{self.path}: was replaced by another file; try again")


def _create_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error("cannot create the folder of the catalogue", error) from error


def _truncate_log(connection: sqlite3.Connection) -> None:
    """Truncates the write-ahead log, unless it is being read or the disk is full."""
    connection.execute("PRAGMA busy_timeout = 0")
    with suppress(sqlite3.OperationalError):  # the data in the log is durable; try again later
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

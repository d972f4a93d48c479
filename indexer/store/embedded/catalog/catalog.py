"""Opening a catalogue, to read from it or to write to it."""

import sqlite3
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from indexer.errors import CatalogError, CatalogMissingError, StorageError
from indexer.files import storage_error
from indexer.store.embedded.catalog.checksums import DamagedError
from indexer.store.embedded.catalog.connection import Opened, connect
from indexer.store.embedded.catalog.faults import READING, errors_named
from indexer.store.embedded.catalog.lock import writer_lock
from indexer.store.embedded.catalog.mark import MarkFile
from indexer.store.embedded.catalog.reader import CatalogReader
from indexer.store.embedded.catalog.schema import migrate
from indexer.store.embedded.catalog.writer import CatalogWriter

FILE_NAME = "catalog.db"


class Catalog:
    """The catalogue of one collection. Any number of threads may read from one object.

    Args:
        folder: the collection's folder.
        create: make folder and catalogue where they are absent.

    Raises:
        CatalogMissingError: there is none, and `create` is off.
        StorageError: the disk does not let it be opened or made.
        DamagedError: it is not what was written.
    """

    def __init__(self, folder: Path, *, create: bool = False) -> None:
        self.folder = folder
        self.path = folder / FILE_NAME
        self.mark = MarkFile(folder)
        self._idle: deque[Opened] = deque()
        self._closed = False
        self._last_seq = 0  # that was read: a later transaction sees no earlier one
        if create:
            _make(folder)
        elif not self.path.is_file():
            raise CatalogMissingError(
                f"no catalogue at {self.path}; add products first, or correct storage.data_dir"
            )
        mark = self.mark.read()
        try:
            with errors_named(self.path, READING):
                self._idle.append(connect(self.path, create=create))
                migrate(self._idle[0].connection)
                self._file = self._identity()
            with self.reader() as reader:
                if mark and reader.seq < mark.seq:
                    raise DamagedError(
                        f"{self.path}: ends at seq {reader.seq}, but {self.mark.path.name} tells"
                        f" of {mark.seq}; the file or its write-ahead log was replaced, cut or"
                        " damaged: put both back, or restore a snapshot"
                    )
        except CatalogError:
            self.close()
            raise

    @contextmanager
    def reader(self) -> Iterator[CatalogReader]:
        """The catalogue as of one `seq`, whatever is written meanwhile. Keep it short.

        Raises:
            CatalogMissingError: the file is gone, or another one is in its place.
            StorageError: the disk does not let it be read now.
            DamagedError: it is not what was written.
        """
        self._require_same_file()
        last_seq = self._last_seq
        with errors_named(self.path, READING):
            opened = self._taken()
            try:
                opened.connection.execute("BEGIN")
                reader = CatalogReader(opened.connection)
                if reader.seq < last_seq:
                    raise self._replaced()
                self._last_seq = max(self._last_seq, reader.seq)
                yield reader
            finally:
                opened.connection.rollback()
                self._give_back(opened)

    @contextmanager
    def writer(self) -> Iterator[CatalogWriter]:
        """The one writer of this collection.

        Raises:
            LockedError: another process is writing.
            StorageError: the disk does not let it be written.
        """
        with errors_named(self.path), writer_lock(self.folder):
            opened = connect(self.path)
            try:
                yield CatalogWriter(opened.connection, self.mark)
                _empty_the_log(opened.connection)
            finally:
                opened.close()

    def close(self) -> None:
        """Closes the connections; those in use, when they are given back."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    def _taken(self) -> Opened:
        """A connection that sees what is stored now."""
        while self._idle:
            with suppress(IndexError):  # another thread took the last one
                opened = self._idle.pop()
                if opened.is_current:
                    return opened
                opened.close()
        return connect(self.path)

    def _give_back(self, opened: Opened) -> None:
        """
        Raises:
            StorageError: what was read may be a mixture, as it was changed meanwhile.
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
        """Open connections would go on with the file that was here before."""
        try:
            same = self._identity() == self._file
        except FileNotFoundError:
            raise CatalogMissingError(f"{self.path}: is gone; put it back") from None
        except OSError as error:
            raise storage_error(f"{self.path}: cannot be read", error) from error
        if not same:
            raise self._replaced()

    def _replaced(self) -> CatalogMissingError:
        return CatalogMissingError(f"{self.path}: was replaced by another file; try again")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error("cannot make the folder of the catalogue", error) from error


def _empty_the_log(connection: sqlite3.Connection) -> None:
    """Leaves it to a later writer if someone reads from it, or if the disk is full."""
    connection.execute("PRAGMA busy_timeout = 0")
    with suppress(sqlite3.OperationalError):  # what was written is stored all the same
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

"""Queries and events in SQLite, one file for all collections, apart from the catalogues.

Losing it would lose statistics and no product, so it has no checksums of its own. Ids begin with
their time (`ids`), so the oldest rows share pages, and to delete them frees whole pages.
"""

import json
import math
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Literal, get_args

from indexer.errors import CatalogError, DiskFullError, ImageSearchError, ReadOnlyError
from indexer.files import storage_error
from indexer.store.embedded.catalog.faults import named
from indexer.store.embedded.catalog.wal import set_wal

Action = Literal["click", "cart", "purchase", "dismiss"]
ACTIONS: tuple[Action, ...] = get_args(Action)

_FILE = "events.db"  # no collection's folder can have this name
_BUSY_TIMEOUT_S = 10.0
MIB = 1024 * 1024
# A page has 200 results at most, and an event is of one of them and one of four actions.
_MOST_OF_A_QUERY = 200 * len(ACTIONS)
# Rows that a transaction deletes where the file is full: more than it can have added, and few
# enough for the others that wait to write.
_OLDEST_AT_ONCE = 100
_MOST_ROUNDS = 200
# A query is one row whatever it showed: product ids and their scores as two JSON lists, in which
# the position is the rank. (Lists of plain values unfold five times as fast as a list of pairs.)
_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS queries (
        query_id TEXT PRIMARY KEY,
        collection TEXT NOT NULL,
        at INTEGER NOT NULL,
        kind TEXT NOT NULL,
        first_rank INTEGER NOT NULL,
        best REAL,
        shown TEXT NOT NULL,
        scores TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX IF NOT EXISTS queries_by_time ON queries (at)",
    """CREATE TABLE IF NOT EXISTS events (
        query_id TEXT NOT NULL,
        product_id TEXT NOT NULL,
        action TEXT NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (query_id, product_id, action)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS events_by_time ON events (at)",
)
# A product that the page did not show is left out. A query may still wait to be written, here or
# in another process: then whatever it may have shown is taken.
_ADD_EVENT = """INSERT OR IGNORE INTO events SELECT ?1, ?2, ?3, ?4 WHERE
    coalesce(
        (SELECT ?2 IN (SELECT value FROM json_each(shown)) FROM queries WHERE query_id = ?1), 1
    )
    AND (SELECT count(*) FROM events WHERE query_id = ?1) < ?5"""
_DELETE_OLDEST = {
    "queries": "DELETE FROM queries WHERE query_id IN"
    " (SELECT query_id FROM queries ORDER BY at LIMIT ?)",
    "events": "DELETE FROM events WHERE (query_id, product_id, action) IN"
    " (SELECT query_id, product_id, action FROM events ORDER BY at LIMIT ?)",
}


class EventsError(ImageSearchError):
    """What happened cannot be stored or read."""

    code = "events_failed"


class EventsDiskFullError(DiskFullError, EventsError):
    """The disk is full."""


class EventsReadOnlyError(ReadOnlyError, EventsError):
    """The disk is read-only."""


def events_error(path: Path, error: OSError | sqlite3.Error) -> EventsError:
    """What an error of the system means for the file of events, or of their key."""
    told = storage_error("", error) if isinstance(error, OSError) else named(path, error)
    kind = _KINDS.get(type(told), EventsError)
    return kind(f"{path}: {getattr(error, 'strerror', None) or error}")


_KINDS: dict[type[CatalogError], type[EventsError]] = {
    DiskFullError: EventsDiskFullError,
    ReadOnlyError: EventsReadOnlyError,
}


@dataclass(frozen=True)
class Query:
    """One page that a search showed. `at` in seconds since 1970; `shown` from `first_rank` on."""

    query_id: str
    collection: str
    at: int
    kind: str
    first_rank: int
    shown: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Event:
    """What a shopper did with a product that a query showed."""

    query_id: str
    product_id: str
    action: Action


class EventStore:
    """The file in a data folder, which must exist; made when there is something to store.
    Thread-safe.

    Every method raises an EventsError if the file cannot be read or written.

    Args:
        max_mib: that the file may have; where it is full, the oldest rows are deleted.
    """

    def __init__(self, data_dir: Path, max_mib: int | None = None) -> None:
        self.path = data_dir / _FILE
        self._max_bytes = math.inf if max_mib is None else max_mib * MIB
        self._lock = Lock()
        self._db: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None  # that it has open

    def add_queries(self, queries: Iterable[Query]) -> None:
        rows = [
            (
                query.query_id,
                query.collection,
                query.at,
                query.kind,
                query.first_rank,
                max((score for _, score in query.shown), default=None),
                json.dumps([product_id for product_id, _ in query.shown], ensure_ascii=False),
                json.dumps([round(score, 4) for _, score in query.shown]),
            )
            for query in queries
        ]
        with self._transaction() as db:
            db.executemany("INSERT OR IGNORE INTO queries VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
            self._make_room(db)

    def add_events(self, events: Iterable[Event], at: int) -> None:
        """Durable when this returns. An event that is here already stays as it is.

        One of a product that its query did not show is left out.
        """
        rows = [
            (event.query_id, event.product_id, event.action, at, _MOST_OF_A_QUERY)
            for event in events
        ]
        with self._transaction() as db:
            db.executemany(_ADD_EVENT, rows)
            self._make_room(db)

    def purge(self, before: int) -> None:
        """Deletes what is older, and the oldest of the rest while the file is too full."""
        if not self.path.is_file():
            return
        with self._transaction() as db:
            db.execute("DELETE FROM queries WHERE at < ?", (before,))
            db.execute("DELETE FROM events WHERE at < ?", (before,))
        fits = False
        while not fits:
            with self._transaction() as db:
                fits = self._make_room(db)

    def select(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """The rows of a SELECT; none if nothing was ever stored."""
        if self._db is None and not self.path.is_file():
            return []
        with self._transaction() as db:
            return db.execute(statement, values).fetchall()

    def close(self) -> None:
        with self._lock:
            if self._db:
                self._db.close()
                self._db = None

    def _make_room(self, db: sqlite3.Connection) -> bool:
        """Deletes oldest rows while the file is too full; whether it then is not."""
        for _ in range(_MOST_ROUNDS):
            if _used_bytes(db) <= self._max_bytes:
                return True
            ages = {table: _oldest(db, table) for table in _DELETE_OLDEST}
            db.execute(_DELETE_OLDEST[min(ages, key=ages.__getitem__)], (_OLDEST_AT_ONCE,))
        return False

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                if self._db is not None and self._identity() != self._file:
                    self._db.close()  # of a data folder that was moved or replaced
                    self._db = None
                if self._db is None:
                    self._db = self._opened()
                    self._file = self._identity()
                with self._db:  # commits, or rolls back
                    yield self._db
            except (OSError, sqlite3.Error) as error:
                raise events_error(self.path, error) from error

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
            for statement in _SCHEMA:
                connection.execute(statement)
        except BaseException:
            connection.close()
            raise
        return connection


def _used_bytes(db: sqlite3.Connection) -> int:
    """The size of the file without its free pages."""
    pages, free, size = (
        db.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def _oldest(db: sqlite3.Connection, table: str) -> float:
    (at,) = db.execute(f"SELECT min(at) FROM {table}").fetchone()  # noqa: S608
    return math.inf if at is None else float(at)

"""Queries and events in one SQLite file for all collections, separate from the catalogues.

The file holds statistics only, so rows have no checksums. Query ids start with the time, so the
oldest rows are on the same pages, and deleting them frees whole pages.
"""

import json
import math
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from indexer.errors import DiskFullError, ImageSearchError, ReadOnlyError
from indexer.sqlite.database import MIB, Database, Failures, used_bytes

Action = Literal["click", "cart", "purchase", "dismiss"]
ACTIONS: tuple[Action, ...] = get_args(Action)

FILE_NAME = "events.db"  # not a valid collection name
# A page has at most 200 results, and an event has one of four actions.
_MAX_EVENTS = 200 * len(ACTIONS)  # of one query
# Rows to delete per statement when the file is full: more than a transaction adds, but few
# enough not to block other writers for long.
_DELETED_AT_ONCE = 100
_MAX_ROUNDS = 200  # of deleting in one transaction
# A query is one row: product ids and scores are two JSON lists in the order of ranks. Lists of
# plain values unfold five times as fast as a list of pairs.
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
# Events of products that the query did not show are ignored. If the query is not written yet,
# here or in another process, any product is accepted.
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
    """Queries or events cannot be stored or read."""

    code = "events_failed"


class EventsDiskFullError(DiskFullError, EventsError):
    """The disk is full."""


class EventsReadOnlyError(ReadOnlyError, EventsError):
    """The disk is read-only."""


FAILURES = Failures(EventsError, EventsDiskFullError, EventsReadOnlyError)


@dataclass(frozen=True)
class Query:
    """One page of results.

    Attributes:
        query_id: signed id.
        collection: name of the collection.
        at: time in seconds since 1970.
        kind: `photo` or `product`.
        first_rank: rank of the first result, from 1.
        shown: product id and score of each result.
    """

    query_id: str
    collection: str
    at: int
    kind: str
    first_rank: int
    shown: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Event:
    """A shopper's action on a result of a query."""

    query_id: str
    product_id: str
    action: Action


class EventStore:
    """The file of queries and events, created on the first write. Thread-safe.

    Every method raises an EventsError if the file cannot be read or written.

    Args:
        data_dir: existing folder of the file.
        max_mib: maximum size of the file in MiB; when it is full, the oldest rows are deleted.
    """

    def __init__(self, data_dir: Path, max_mib: int | None = None) -> None:
        self._database = Database(data_dir / FILE_NAME, _SCHEMA, FAILURES)
        self._max_bytes = math.inf if max_mib is None else max_mib * MIB

    @property
    def path(self) -> Path:
        """Path of the file."""
        return self._database.path

    def add_queries(self, queries: Iterable[Query]) -> None:
        """Stores queries."""
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
        with self._database.transaction() as db:
            db.executemany("INSERT OR IGNORE INTO queries VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
            self._make_room(db)

    def add_events(self, events: Iterable[Event], at: int) -> None:
        """Stores events at time `at`, in seconds since 1970. Durable when this returns.

        Ignores duplicates, and events of products that the query did not show.
        """
        rows = [
            (event.query_id, event.product_id, event.action, at, _MAX_EVENTS) for event in events
        ]
        with self._database.transaction() as db:
            db.executemany(_ADD_EVENT, rows)
            self._make_room(db)

    def purge(self, before: int) -> None:
        """Deletes rows from before a time, and then the oldest rows until the file is not full."""
        if not self.path.is_file():
            return
        with self._database.transaction() as db:
            db.execute("DELETE FROM queries WHERE at < ?", (before,))
            db.execute("DELETE FROM events WHERE at < ?", (before,))
        fits = False
        while not fits:
            with self._database.transaction() as db:
                fits = self._make_room(db)

    def select(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Runs a SELECT and returns its rows; none if nothing was ever stored."""
        return self._database.select(statement, *values)

    def close(self) -> None:
        """Closes the file."""
        self._database.close()

    def _make_room(self, db: sqlite3.Connection) -> bool:
        """Deletes the oldest rows while the file is full; returns whether it fits then."""
        for _ in range(_MAX_ROUNDS):
            if used_bytes(db) <= self._max_bytes:
                return True
            ages = {table: _oldest(db, table) for table in _DELETE_OLDEST}
            db.execute(_DELETE_OLDEST[min(ages, key=ages.__getitem__)], (_DELETED_AT_ONCE,))
        return False


def _oldest(db: sqlite3.Connection, table: str) -> float:
    (at,) = db.execute(f"SELECT min(at) FROM {table}").fetchone()  # noqa: S608
    return math.inf if at is None else float(at)

"""Numbers of requests by client and time, shared by the processes of the service."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from threading import Lock

_TABLES = """
    CREATE TABLE IF NOT EXISTS requests
    (client TEXT, start REAL, end REAL, number INTEGER, PRIMARY KEY (client, start)) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS requests_by_end ON requests (end)
"""
_WAIT_S = 1.0


class Counts:
    """Counts in a file that lives as long as the service.

    Args:
        path: of the file; None for a single process, which counts in memory.
    """

    def __init__(self, path: Path | None) -> None:
        self._lock = Lock()
        self._path = path

    @cached_property
    def _db(self) -> sqlite3.Connection:
        """The file, opened by the first request that is counted."""
        db = sqlite3.connect(
            self._path or ":memory:", timeout=_WAIT_S, isolation_level=None, check_same_thread=False
        )
        # Counts need not survive a power failure.
        db.execute("PRAGMA synchronous = OFF")
        db.execute("PRAGMA journal_mode = WAL")  # withstands a killed process
        db.executescript(_TABLES)
        return db

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other threads and processes from counting.

        Raises:
            sqlite3.Error: the file cannot be read or written; nothing was counted.
        """
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")

    def number(self, client: str, start: float) -> int:
        """Returns the requests of a client in the window that starts at `start`."""
        row = self._db.execute(
            "SELECT number FROM requests WHERE client = ? AND start = ?", (client, start)
        ).fetchone()
        return row[0] if row else 0

    def add(self, client: str, start: float, window_s: float, number: int) -> None:
        """Counts requests, or takes some back if the number is negative; forgets old windows."""
        found = self._db.execute(
            "UPDATE requests SET number = max(0, number + ?) WHERE client = ? AND start = ?",
            (number, client, start),
        )
        if not found.rowcount and number > 0:
            self._db.execute("DELETE FROM requests WHERE end <= ?", (start,))
            end = start + 2 * window_s  # until then it counts for the sliding window
            self._db.execute(
                "INSERT INTO requests VALUES (?, ?, ?, ?)", (client, start, end, number)
            )

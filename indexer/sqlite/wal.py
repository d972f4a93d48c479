"""Switches a new SQLite file to write-ahead mode while other processes do the same."""

import sqlite3
import time


def set_wal(connection: sqlite3.Connection, timeout_s: float) -> None:
    """Switches to write-ahead mode; retries, because the busy timeout does not apply to it.

    Raises:
        sqlite3.OperationalError: the file was still locked after `timeout_s`.
    """
    end = time.monotonic() + timeout_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(0.01)

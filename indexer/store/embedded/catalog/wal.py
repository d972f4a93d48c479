"""Putting a new file of SQLite into its write-ahead mode while others do the same."""

import sqlite3
import time


def set_wal(connection: sqlite3.Connection, timeout_s: float) -> None:
    """Waits for those who have the file: of this statement alone SQLite itself does not.

    Raises:
        sqlite3.OperationalError: they still had it after `timeout_s`.
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

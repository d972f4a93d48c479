"""A CRC-32 in every row: a flipped bit is an error that names the row, never an answer.

SQLite checks that its pages hang together, not what is in them. The rows of the journal that
tell of images form a chain: each is checked together with the checksum of the one before, so
that a row that cannot be found any more is missed.
"""

import sqlite3
import zlib

from indexer.errors import CatalogError


class DamagedError(CatalogError):
    """What is stored is not what was written. Other errors may pass, such as a full disk."""


Value = str | int | bytes | None


def checksum(*values: Value) -> int:
    """The CRC-32 of the values of a row, its key included. SQL knows it by the same name.

    Text counts as its bytes in UTF-8 and a number as its digits, each with a zero after it, so
    that text differs from the same bytes in a blob.
    """
    crc = 0
    for value in values:
        crc = zlib.crc32(value if isinstance(value, bytes) else f"{value}\0".encode(), crc)
    return crc


def teach(connection: sqlite3.Connection) -> None:
    """Makes `checksum(...)` known to the connection's SQL."""
    connection.create_function("checksum", -1, checksum, deterministic=True)


def require(connection: sqlite3.Connection, table: str, stored: int, *values: Value) -> None:
    """Compares a row, its key first, with its checksum.

    Raises:
        DamagedError: they differ.
    """
    if checksum(*values) != stored:
        raise damaged(connection, f"row {values[0]!r} of table {table}")


def damaged(connection: sqlite3.Connection, what: str) -> DamagedError:
    """The error that names what is damaged, and the file that it is in."""
    return DamagedError(
        f"{path_of(connection)}: {what} is damaged or missing;"
        " see what `verify` finds, then restore a snapshot"
    )


def path_of(connection: sqlite3.Connection) -> str:
    """The file of a connection's database."""
    (path,) = connection.execute("SELECT file FROM pragma_database_list").fetchone()
    return str(path)

"""A CRC-32 in every row, so that a flipped bit is an error that names the row.

SQLite checks the structure of its pages but not their contents. The image rows of the journal
form a chain: the checksum of each covers the checksum of the previous one, so that a missing row
is detected.
"""

import sqlite3
import zlib

from indexer.errors import DamagedError

Value = str | int | bytes | None


def checksum(*values: Value) -> int:
    """Returns the CRC-32 of the values of a row, including its key. Also available in SQL.

    Text is encoded in UTF-8 and numbers in decimal digits, each followed by a zero byte, so that
    text differs from the same bytes in a blob.
    """
    parts = (value if isinstance(value, bytes) else f"{value}\0".encode() for value in values)
    return zlib.crc32(b"".join(parts))


def register_checksum(connection: sqlite3.Connection) -> None:
    """Registers `checksum(...)` as an SQL function of the connection."""
    connection.create_function("checksum", -1, checksum, deterministic=True)


def require(connection: sqlite3.Connection, table: str, stored: int, *values: Value) -> None:
    """Checks a row against its checksum.

    Args:
        connection: names the file in the error.
        table: of the row.
        stored: checksum of the row.
        values: of the row, its key first.

    Raises:
        DamagedError: the checksum differs.
    """
    if checksum(*values) != stored:
        raise damaged(connection, f"row {values[0]!r} of table {table}")


def damaged(connection: sqlite3.Connection, what: str) -> DamagedError:
    """Returns the error that names the file and what is damaged in it."""
    return DamagedError(
        f"{path_of(connection)}: {what} is damaged or missing;"
        " run `verify`, then restore a snapshot"
    )


def path_of(connection: sqlite3.Connection) -> str:
    """Returns the path of a connection's database."""
    (path,) = connection.execute("SELECT file FROM pragma_database_list").fetchone()
    return str(path)

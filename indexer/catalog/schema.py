"""The tables of a catalogue, as numbered migrations."""

import sqlite3
from datetime import UTC, datetime

from indexer.errors import CatalogError

# image_id is AUTOINCREMENT so that it is never reused, even after a removal.
# Embeddings stand apart from images so that reading uris does not read vectors.
_INITIAL = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;

CREATE TABLE products (product_id TEXT PRIMARY KEY, attributes TEXT NOT NULL) STRICT;

CREATE TABLE images (
    image_id INTEGER PRIMARY KEY AUTOINCREMENT,
    product_id TEXT NOT NULL REFERENCES products,
    position INTEGER NOT NULL,
    uri TEXT NOT NULL,
    location TEXT NOT NULL,
    content_hash TEXT NOT NULL
) STRICT;
CREATE INDEX images_by_product ON images (product_id, position);
CREATE INDEX images_by_content ON images (content_hash);

CREATE TABLE embeddings (
    image_id INTEGER PRIMARY KEY REFERENCES images ON DELETE CASCADE,
    vector BLOB NOT NULL,
    crc32 INTEGER NOT NULL
) STRICT;

CREATE TABLE journal (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    operation TEXT NOT NULL CHECK (
        operation IN ('put_product', 'remove_product', 'add_image', 'remove_image')
    ),
    product_id TEXT NOT NULL,
    image_id INTEGER
) STRICT;
"""

MIGRATIONS: tuple[str, ...] = (_INITIAL,)


def now() -> str:
    """The time as it is written into a catalogue: ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def migrate(connection: sqlite3.Connection) -> None:
    """Brings a catalogue to the newest schema, each migration in a transaction of its own.

    Safe beside other processes: whoever comes second finds the migration recorded.

    Raises:
        CatalogError: the catalogue was written by a newer version of this software.
    """
    if _version(connection) == len(MIGRATIONS):
        return
    connection.execute(
        "CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY, applied_at TEXT) STRICT"
    )
    for number, script in enumerate(MIGRATIONS, start=1):
        connection.execute("BEGIN IMMEDIATE")
        if _version(connection) < number:
            for statement in script.split(";"):
                connection.execute(statement)
            connection.execute("INSERT INTO migrations VALUES (?, ?)", (number, now()))
        connection.execute("COMMIT")
    if _version(connection) > len(MIGRATIONS):
        raise CatalogError(
            f"the catalogue has schema {_version(connection)}, this version knows"
            f" {len(MIGRATIONS)}; update the software"
        )


def _version(connection: sqlite3.Connection) -> int:
    exists = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'migrations'").fetchone()
    if exists is None:
        return 0
    (number,) = connection.execute("SELECT coalesce(max(number), 0) FROM migrations").fetchone()
    return int(number)

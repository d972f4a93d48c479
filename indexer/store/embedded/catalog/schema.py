"""The schema of a catalogue, as numbered migrations."""

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple

from indexer.errors import CatalogError
from indexer.store.embedded.catalog.checksums import checksum
from indexer.store.places import place_anywhere

# AUTOINCREMENT prevents reuse of image ids after a removal. Embeddings have their own table, so
# that reading images does not read vectors.
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

# `state` has one row, updated by triggers, because counting rows is slow in large tables. Its
# generation is incremented when the model of the embeddings changes, so that vectors of two
# models are never compared. The index covers the image rows of the journal only.
_SEGMENTS = """
CREATE TABLE segments (
    file TEXT PRIMARY KEY,
    generation INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    images INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    crc32 TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    kind TEXT NOT NULL,
    created_at TEXT NOT NULL
) STRICT;

CREATE INDEX journal_of_images ON journal (seq, image_id, operation)
    WHERE image_id IS NOT NULL;

CREATE TABLE state (
    products INTEGER NOT NULL,
    images INTEGER NOT NULL,
    generation INTEGER NOT NULL
) STRICT;

INSERT INTO state SELECT
    (SELECT count(*) FROM products),
    (SELECT count(*) FROM images),
    (SELECT count(*) FROM meta WHERE key = 'fingerprint');

CREATE TRIGGER product_added AFTER INSERT ON products BEGIN
    UPDATE state SET products = products + 1; END;

CREATE TRIGGER product_removed AFTER DELETE ON products BEGIN
    UPDATE state SET products = products - 1; END;

CREATE TRIGGER image_added AFTER INSERT ON images BEGIN
    UPDATE state SET images = images + 1; END;

CREATE TRIGGER image_removed AFTER DELETE ON images BEGIN
    UPDATE state SET images = images - 1; END;

CREATE TRIGGER embedding_set AFTER INSERT ON meta WHEN NEW.key = 'fingerprint' BEGIN
    UPDATE state SET generation = generation + 1; END;
"""

# Every row gets a checksum; that of a product covers the checksums of its images. The triggers
# above update the counts of `state`; the writer updates its checksum and the other columns.
_CHECKSUMS = """
ALTER TABLE embeddings RENAME COLUMN crc32 TO checksum;

ALTER TABLE meta ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;

ALTER TABLE products ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;

ALTER TABLE images ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;

ALTER TABLE journal ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;

ALTER TABLE segments ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;

ALTER TABLE state ADD COLUMN seq INTEGER NOT NULL DEFAULT 0;

ALTER TABLE state ADD COLUMN chain INTEGER NOT NULL DEFAULT 0;

ALTER TABLE state ADD COLUMN last_image_id INTEGER NOT NULL DEFAULT 0;

ALTER TABLE state ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;

DROP INDEX journal_of_images;

CREATE INDEX journal_of_images ON journal (seq) WHERE image_id IS NOT NULL;

DELETE FROM segments;

UPDATE embeddings SET checksum = checksum(image_id, vector);

UPDATE meta SET checksum = checksum(key, value);

UPDATE images SET
    checksum = checksum(image_id, product_id, position, uri, location, content_hash);

UPDATE products SET checksum = checksum(product_id, attributes, (
    SELECT coalesce(sum(checksum), 0) FROM images WHERE images.product_id = products.product_id));
"""


class End(NamedTuple):
    """The end of the journal, where the next change continues.

    Attributes:
        seq: of the last row of the journal.
        chain: checksum of the last image row of the journal.
        image_id: the last one assigned.
    """

    seq: int
    chain: int
    image_id: int

    def after(self, seq: int, image_id: int | None, row_sum: int) -> "End":
        """Returns the end after one more row with the checksum `row_sum`."""
        if image_id is None:
            return End(seq, self.chain, self.image_id)
        return End(seq, row_sum, max(self.image_id, image_id))


def seal(connection: sqlite3.Connection, end: End) -> None:
    """Writes the end of the journal and the checksum of the state, before a commit."""
    connection.execute("UPDATE state SET seq = ?, chain = ?, last_image_id = ?", end)
    connection.execute(
        "UPDATE state SET"
        " checksum = checksum(products, images, generation, seq, chain, last_image_id)"
    )


def _fill_checksums(connection: sqlite3.Connection) -> None:
    _run(connection, _CHECKSUMS)
    end = End(0, 0, 0)
    rows = connection.execute("SELECT seq, at, operation, product_id, image_id FROM journal")
    for row in rows.fetchall():
        row_sum = checksum(end.chain, *row)
        connection.execute("UPDATE journal SET checksum = ? WHERE seq = ?", (row_sum, row[0]))
        end = end.after(row[0], row[4], row_sum)
    seal(connection, end)


def _place_uploads(connection: sqlite3.Connection) -> None:
    """Makes the locations of uploads relative to the folder. Leaves damaged rows unchanged."""
    sums = "SELECT coalesce(sum(checksum), 0) FROM images WHERE product_id = ?"
    moved: dict[str, list[tuple[int, str]]] = {}
    for *row, stored in connection.execute(
        "SELECT image_id, product_id, position, uri, location, content_hash, checksum"
        " FROM images WHERE location GLOB '/*/photos/*'"
    ):
        place = place_anywhere(row[4], row[5])
        if place is not None and checksum(*row) == stored:
            moved.setdefault(row[1], []).append((row[0], place))
    for product_id, places in moved.items():
        product = connection.execute(
            "SELECT attributes, checksum FROM products WHERE product_id = ?", (product_id,)
        ).fetchone()
        (covered,) = connection.execute(sums, (product_id,)).fetchone()
        if product is None or checksum(product_id, product[0], covered) != product[1]:
            continue
        for image_id, place in places:
            connection.execute(
                "UPDATE images SET location = ?1, checksum ="
                " checksum(image_id, product_id, position, uri, ?1, content_hash)"
                " WHERE image_id = ?2",
                (place, image_id),
            )
        (covered,) = connection.execute(sums, (product_id,)).fetchone()
        connection.execute(
            "UPDATE products SET checksum = ? WHERE product_id = ?",
            (checksum(product_id, product[0], covered), product_id),
        )


def _run(connection: sqlite3.Connection, script: str) -> None:
    # Statements are separated by a blank line, because triggers contain semicolons.
    for statement in script.split(";\n\n"):
        connection.execute(statement)


MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (
    partial(_run, script=_INITIAL),
    partial(_run, script=_SEGMENTS),
    _fill_checksums,
    _place_uploads,
)


def now() -> str:
    """Returns the current time in the format of the catalogue: ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def migrate(connection: sqlite3.Connection) -> None:
    """Migrates a catalogue to the latest schema, with one transaction per migration.

    Safe when several processes migrate at the same time: the second finds the migration recorded.

    Raises:
        CatalogError: the catalogue was written by a newer version of this software.
    """
    if _version(connection) == len(MIGRATIONS):
        return
    connection.execute(
        "CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY, applied_at TEXT) STRICT"
    )
    for number, migration in enumerate(MIGRATIONS, start=1):
        connection.execute("BEGIN IMMEDIATE")
        if _version(connection) < number:
            migration(connection)
            connection.execute("INSERT INTO migrations VALUES (?, ?)", (number, now()))
        connection.execute("COMMIT")
    if _version(connection) > len(MIGRATIONS):
        raise CatalogError(
            f"the catalogue has schema version {_version(connection)}, this software supports up"
            f" to {len(MIGRATIONS)}; update the software"
        )


def _version(connection: sqlite3.Connection) -> int:
    exists = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'migrations'").fetchone()
    if exists is None:
        return 0
    (number,) = connection.execute("SELECT coalesce(max(number), 0) FROM migrations").fetchone()
    return int(number)

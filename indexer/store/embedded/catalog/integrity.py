"""Checks the consistency of a catalogue. Every function yields a text for each problem."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

from indexer.store.embedded.catalog.checksums import checksum, register_checksum
from indexer.store.embedded.catalog.reader import CatalogReader
from indexer.store.embedded.catalog.schema import migrate

_MAX_FINDINGS = 100  # of one kind, because a damaged page may affect thousands of rows


def _as_bytes(*columns: str) -> str:
    """Returns SQL for the bytes that `checksum` covers; damaged text may not be valid UTF-8."""
    return ", ".join(f"CAST(CAST({column} AS BLOB) || x'00' AS BLOB)" for column in columns)


_SUM_OF_IMAGES = """(
    SELECT coalesce(sum(checksum), 0) FROM images WHERE images.product_id = products.product_id)"""
# Table, key, the values that the checksum covers.
_ROWS = (
    ("meta", "key", _as_bytes("key", "value")),
    (
        "images",
        "image_id",
        _as_bytes("image_id", "product_id", "position", "uri", "location", "content_hash"),
    ),
    ("products", "product_id", _as_bytes("product_id", "attributes", _SUM_OF_IMAGES)),
    ("embeddings", "image_id", f"{_as_bytes('image_id')}, vector"),
    (
        "segments",
        "file",
        _as_bytes("file", "generation", "seq", "images", "bytes", "crc32", "sha256", "kind")
        + f", {_as_bytes('created_at')}",
    ),
)


def structure(reader: CatalogReader) -> Iterator[str]:
    """Runs SQLite's checks of pages, indexes and references, and compares the schema."""
    for (problem,) in reader.connection.execute(f"PRAGMA integrity_check({_MAX_FINDINGS})"):
        if problem != "ok":
            yield problem
    with closing(sqlite3.connect(":memory:")) as new:
        new.isolation_level = None
        register_checksum(new)
        migrate(new)
        for name, _ in _schema(new) ^ _schema(reader.connection):
            yield f"the definition of {name.decode(errors='replace')} differs from this version's"
    for table, row, parent, _ in reader.connection.execute("PRAGMA foreign_key_check"):
        yield f"row {row} of table {table}: its row of table {parent} is missing"


def rows(reader: CatalogReader) -> Iterator[str]:
    """Finds damaged and missing rows."""
    for table, key, values in _ROWS:
        for (name,) in reader.connection.execute(
            f"SELECT CAST({key} AS BLOB) FROM {table} NOT INDEXED"  # noqa: S608
            f" WHERE checksum IS NOT checksum({values}) LIMIT {_MAX_FINDINGS}"
        ):
            shown = "NULL" if name is None else repr(name.decode(errors="replace"))
            yield f"row {shown} of table {table}: its checksum differs"
    products, images = reader.counts()
    for table, expected in (("products", products), ("images", images), ("embeddings", images)):
        count = f"SELECT count(*) FROM {table} NOT INDEXED"  # noqa: S608
        (found,) = reader.connection.execute(count).fetchone()
        if found != expected:
            yield f"table {table}: has {found} rows, expected {expected}"


def journal(reader: CatalogReader) -> Iterator[str]:
    """Finds damaged rows of the journal, and images on which journal and table disagree."""
    chain = 0
    present: set[int] = set()
    for seq, at, operation, product_id, image_id, stored in reader.connection.execute(
        f"SELECT seq, {_as_bytes('at', 'operation', 'product_id')},"  # noqa: S608
        " image_id, checksum FROM journal ORDER BY seq"
    ):
        if checksum(chain, seq, at, operation, product_id, image_id) != stored:
            yield f"row {seq} of table journal, or one before it: its checksum differs"
        if image_id is not None:
            chain = stored
            (present.add if operation == b"add_image\0" else present.discard)(image_id)
    if chain != reader.end.chain:
        yield "table journal: rows are missing at the end"
    stored_ids = {
        row[0] for row in reader.connection.execute("SELECT image_id FROM images NOT INDEXED")
    }
    for image_id in sorted(present ^ stored_ids)[:_MAX_FINDINGS]:
        where = "the journal" if image_id in present else "table images"
        yield f"image {image_id}: only in {where}"


def _schema(connection: sqlite3.Connection) -> set[tuple[bytes, bytes]]:
    return set(
        connection.execute("SELECT CAST(name AS BLOB), CAST(sql AS BLOB) FROM sqlite_schema")
    )

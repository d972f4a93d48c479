"""Whether a catalogue agrees with itself. Every function yields what is wrong, in words."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

from indexer.store.embedded.catalog.checksums import checksum, teach
from indexer.store.embedded.catalog.reader import CatalogReader
from indexer.store.embedded.catalog.schema import migrate

_AT_MOST = 100  # findings of one kind: one bad page may damage thousands of rows


def _counted(*columns: str) -> str:
    """Values as the bytes that `checksum` counts: what should be text may be none now."""
    return ", ".join(f"CAST(CAST({column} AS BLOB) || x'00' AS BLOB)" for column in columns)


_SUM_OF_IMAGES = """(
    SELECT coalesce(sum(checksum), 0) FROM images WHERE images.product_id = products.product_id)"""
# Table, key, the values that its checksum is of.
_ROWS = (
    ("meta", "key", _counted("key", "value")),
    (
        "images",
        "image_id",
        _counted("image_id", "product_id", "position", "uri", "location", "content_hash"),
    ),
    ("products", "product_id", _counted("product_id", "attributes", _SUM_OF_IMAGES)),
    ("embeddings", "image_id", f"{_counted('image_id')}, vector"),
    (
        "segments",
        "file",
        _counted("file", "generation", "seq", "images", "bytes", "crc32", "sha256", "kind")
        + f", {_counted('created_at')}",
    ),
)


def structure(reader: CatalogReader) -> Iterator[str]:
    """SQLite's own checks of its pages, indexes and references."""
    for (problem,) in reader.connection.execute(f"PRAGMA integrity_check({_AT_MOST})"):
        if problem != "ok":
            yield problem
    with closing(sqlite3.connect(":memory:")) as new:
        new.isolation_level = None
        teach(new)
        migrate(new)
        for name, _ in _schema(new) ^ _schema(reader.connection):
            yield f"the definition of {name.decode(errors='replace')} is not that of this version"
    for table, row, parent, _ in reader.connection.execute("PRAGMA foreign_key_check"):
        yield f"row {row} of table {table}: its row of table {parent} is missing"


def rows(reader: CatalogReader) -> Iterator[str]:
    """Rows that are not what was written, and rows that are missing."""
    for table, key, values in _ROWS:
        for (name,) in reader.connection.execute(
            f"SELECT CAST({key} AS BLOB) FROM {table} NOT INDEXED"  # noqa: S608
            f" WHERE checksum IS NOT checksum({values}) LIMIT {_AT_MOST}"
        ):
            shown = "NULL" if name is None else repr(name.decode(errors="replace"))
            yield f"row {shown} of table {table}: its checksum differs"
    products, images = reader.counts()
    for table, expected in (("products", products), ("images", images), ("embeddings", images)):
        count = f"SELECT count(*) FROM {table} NOT INDEXED"  # noqa: S608
        (found,) = reader.connection.execute(count).fetchone()
        if found != expected:
            yield f"table {table}: has {found} rows, {expected} were written"


def journal(reader: CatalogReader) -> Iterator[str]:
    """Rows of the journal that are not what was written, and what it tells of the images."""
    chain = 0
    present: set[int] = set()
    for seq, at, operation, product_id, image_id, stored in reader.connection.execute(
        f"SELECT seq, {_counted('at', 'operation', 'product_id')},"  # noqa: S608
        " image_id, checksum FROM journal ORDER BY seq"
    ):
        if checksum(chain, seq, at, operation, product_id, image_id) != stored:
            yield f"row {seq} of table journal, or one before it: its checksum differs"
        if image_id is not None:
            chain = stored
            (present.add if operation == b"add_image\0" else present.discard)(image_id)
    if chain != reader.end.chain:
        yield "table journal: rows are missing at its end"
    stored_ids = {
        row[0] for row in reader.connection.execute("SELECT image_id FROM images NOT INDEXED")
    }
    for image_id in sorted(present ^ stored_ids)[:_AT_MOST]:
        where = "the journal" if image_id in present else "table images"
        yield f"image {image_id}: is in {where} only"


def _schema(connection: sqlite3.Connection) -> set[tuple[bytes, bytes]]:
    return set(
        connection.execute("SELECT CAST(name AS BLOB), CAST(sql AS BLOB) FROM sqlite_schema")
    )

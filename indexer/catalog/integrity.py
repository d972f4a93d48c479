"""Whether a catalogue agrees with itself. Every function yields what is wrong, in words."""

from collections.abc import Iterator

from indexer.catalog.checksums import checksum
from indexer.catalog.snapshot import CatalogSnapshot

_AT_MOST = 100  # findings of one kind: one bad page may damage thousands of rows

# Table, key, the values that its checksum is of. Text is read as bytes, as it may be no text now.
_IMAGES_OF_PRODUCT = """(
    SELECT coalesce(sum(checksum), 0) FROM images WHERE images.product_id = products.product_id)"""
_ROWS = (
    ("meta", "key", ("key", "value")),
    (
        "images",
        "image_id",
        ("image_id", "product_id", "position", "uri", "location", "content_hash"),
    ),
    ("products", "product_id", ("product_id", "attributes", _IMAGES_OF_PRODUCT)),
    ("embeddings", "image_id", ("image_id", "vector")),
    (
        "segments",
        "file",
        ("file", "generation", "seq", "images", "bytes", "crc32", "sha256", "kind", "created_at"),
    ),
)


def structure(snapshot: CatalogSnapshot) -> Iterator[str]:
    """SQLite's own checks of its pages, indexes and references."""
    for (problem,) in snapshot._db.execute(f"PRAGMA integrity_check({_AT_MOST})"):
        if problem != "ok":
            yield problem
    for table, row, parent, _ in snapshot._db.execute("PRAGMA foreign_key_check"):
        yield f"row {row} of table {table}: its row of table {parent} is missing"


def rows(snapshot: CatalogSnapshot) -> Iterator[str]:
    """Rows that are not what was written, and rows that are missing."""
    for table, key, columns in _ROWS:
        values = ", ".join(f"CAST({column} AS BLOB)" for column in columns)
        for (name,) in snapshot._db.execute(
            f"SELECT CAST({key} AS BLOB) FROM {table} NOT INDEXED"  # noqa: S608
            f" WHERE checksum IS NOT checksum({values}) LIMIT {_AT_MOST}"
        ):
            shown = "NULL" if name is None else repr(name.decode(errors="replace"))
            yield f"row {shown} of table {table}: its checksum differs"
    products, images = snapshot.counts()
    for table, expected in (("products", products), ("images", images), ("embeddings", images)):
        (found,) = snapshot._db.execute(f"SELECT count(*) FROM {table} NOT INDEXED").fetchone()  # noqa: S608
        if found != expected:
            yield f"table {table}: has {found} rows, {expected} were written"


def journal(snapshot: CatalogSnapshot) -> Iterator[str]:
    """Rows of the journal that are not what was written, and what it tells of the images."""
    chain = 0
    present: set[int] = set()
    for seq, at, operation, product_id, image_id, stored in snapshot._db.execute(
        "SELECT seq, CAST(at AS BLOB), CAST(operation AS BLOB), CAST(product_id AS BLOB), image_id,"
        " checksum FROM journal ORDER BY seq"
    ):
        if checksum(chain, seq, at, operation, product_id, image_id) != stored:
            yield f"row {seq} of table journal, or one before it: its checksum differs"
        if image_id is not None:
            chain = stored
            (present.add if operation == b"add_image" else present.discard)(image_id)
    if chain != snapshot.end.chain:
        yield "table journal: rows are missing at its end"
    stored_ids = {row[0] for row in snapshot._db.execute("SELECT image_id FROM images NOT INDEXED")}
    for image_id in sorted(present ^ stored_ids)[:_AT_MOST]:
        where = "the journal" if image_id in present else "table images"
        yield f"image {image_id}: is in {where} only"

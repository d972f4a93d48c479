"""Reading a catalogue as of one `seq`."""

import json
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from indexer.arrays import Ids, Vectors
from indexer.catalog.records import Changes, Image, Product
from indexer.errors import CatalogError

_VECTORS_PER_CHUNK = 8192


class CatalogSnapshot:
    """What one read transaction sees.

    Ids go into a statement as one JSON array, so that there may be any number of them.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        # The first statement fixes what this transaction sees.
        (self.seq,) = connection.execute(
            "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'journal'), 0)"
        ).fetchone()

    def meta(self, key: str) -> str | None:
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    @property
    def fingerprint(self) -> str | None:
        """The fingerprint of every embedding in here; None before the first."""
        return self.meta("fingerprint")

    @property
    def dimension(self) -> int | None:
        """The length of every embedding in here; None before the first."""
        value = self.meta("dimension")
        return None if value is None else int(value)

    def counts(self) -> tuple[int, int]:
        """The number of products and of images."""
        products, images = self._db.execute(
            "SELECT (SELECT count(*) FROM products), (SELECT count(*) FROM images)"
        ).fetchone()
        return int(products), int(images)

    def product_ids(self) -> Iterator[str]:
        for (product_id,) in self._db.execute("SELECT product_id FROM products ORDER BY 1"):
            yield product_id

    def products(self, product_ids: Iterable[str]) -> dict[str, Product]:
        """Those of the products that exist, by id."""
        wanted = json.dumps(list(product_ids))
        images: dict[str, list[Image]] = {}
        for row in self._db.execute(
            "SELECT image_id, product_id, uri, location, content_hash FROM images"
            " WHERE product_id IN (SELECT value FROM json_each(?)) ORDER BY product_id, position",
            (wanted,),
        ):
            images.setdefault(row[1], []).append(Image(*row))
        return {
            product_id: Product(
                product_id, json.loads(attributes), tuple(images.get(product_id, []))
            )
            for product_id, attributes in self._db.execute(
                "SELECT product_id, attributes FROM products"
                " WHERE product_id IN (SELECT value FROM json_each(?))",
                (wanted,),
            )
        }

    def images(self, image_ids: Iterable[int]) -> dict[int, Image]:
        """Those of the images that exist, by id."""
        rows = self._db.execute(
            "SELECT image_id, product_id, uri, location, content_hash FROM images"
            " WHERE image_id IN (SELECT value FROM json_each(?))",
            (json.dumps([int(i) for i in image_ids]),),
        )
        return {row[0]: Image(*row) for row in rows}

    def products_of(self, image_ids: Ids) -> dict[int, str]:
        """The product id of each image that exists."""
        return dict(
            self._db.execute(
                "SELECT image_id, product_id FROM images"
                " WHERE image_id IN (SELECT value FROM json_each(?))",
                (json.dumps(image_ids.tolist()),),
            )
        )

    def known_photos(self, content_hashes: Iterable[str]) -> dict[str, int]:
        """An image id for each content hash that is embedded already."""
        return dict(
            self._db.execute(
                "SELECT content_hash, min(image_id) FROM images"
                " WHERE content_hash IN (SELECT value FROM json_each(?)) GROUP BY content_hash",
                (json.dumps(list(content_hashes)),),
            )
        )

    def vectors(self, image_ids: Sequence[int] | Ids) -> tuple[Ids, Vectors]:
        """Those of the embeddings that exist: ids (n,) ascending, vectors (n, dimension).

        Raises:
            CatalogError: a stored vector is damaged.
        """
        rows = self._db.execute(
            "SELECT image_id, vector, crc32 FROM embeddings"
            " WHERE image_id IN (SELECT value FROM json_each(?)) ORDER BY image_id",
            (json.dumps([int(i) for i in image_ids]),),
        )
        return self._decode(rows.fetchall())

    def all_vectors(self) -> Iterator[tuple[Ids, Vectors]]:
        """Every embedding in chunks as `vectors` returns them, ids ascending."""
        rows = self._db.execute("SELECT image_id, vector, crc32 FROM embeddings ORDER BY image_id")
        while chunk := rows.fetchmany(_VECTORS_PER_CHUNK):
            yield self._decode(chunk)

    def changes_since(self, seq: int) -> Changes:
        """The images that came and went after `seq`; one that did both is in neither array."""
        rows = self._db.execute(
            "SELECT image_id, min(operation), max(operation) FROM journal"
            " WHERE seq > ? AND image_id IS NOT NULL GROUP BY image_id ORDER BY image_id",
            (seq,),
        ).fetchall()
        return Changes(
            added=_ids(image for image, first, last in rows if first == last == "add_image"),
            removed=_ids(image for image, first, last in rows if first == last == "remove_image"),
        )

    def _decode(self, rows: list[tuple[int, bytes, int]]) -> tuple[Ids, Vectors]:
        for image_id, vector, crc32 in rows:
            if zlib.crc32(vector) != crc32:
                raise CatalogError(f"the stored vector of image {image_id} is damaged")
        blob = b"".join(vector for _, vector, _ in rows)
        matrix = np.frombuffer(blob, dtype="<f4").reshape(len(rows), self.dimension or 0)
        return _ids(image_id for image_id, _, _ in rows), matrix


def _ids(values: Iterable[int]) -> Ids:
    return np.fromiter(values, dtype=np.int64)

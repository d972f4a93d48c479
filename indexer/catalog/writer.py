"""Writing to a catalogue: a batch is a transaction, a change is a row of the journal."""

import sqlite3
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from indexer.catalog.records import Image, NewImage, Outcome, Product, PutProduct, as_json, outcome
from indexer.catalog.schema import now
from indexer.catalog.snapshot import CatalogSnapshot
from indexer.errors import FingerprintMismatchError


class CatalogWriter:
    """Made by `Catalog.writer`, which holds the lock while this is in use."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def bind(self, *, fingerprint: str, weights: str, dimension: int) -> None:
        """Fixes the kind of embedding that this catalogue holds, once; later calls must agree.

        Raises:
            FingerprintMismatchError: it holds embeddings of another kind.
        """
        with self._transaction() as snapshot:
            present = snapshot.fingerprint
            if present is None or snapshot.counts() == (0, 0):
                self._db.executemany(
                    "INSERT OR REPLACE INTO meta VALUES (?, ?)",
                    [
                        ("fingerprint", fingerprint),
                        ("weights", weights),
                        ("dimension", str(dimension)),
                    ],
                )
            elif (present, snapshot.dimension) != (fingerprint, dimension):
                raise FingerprintMismatchError(
                    f"this catalogue holds embeddings of {snapshot.meta('weights')} (fingerprint"
                    f" {present[:12]}, {snapshot.dimension} values), received {weights}"
                    f" ({fingerprint[:12]}, {dimension} values); use another collection or data_dir"
                )

    def put(self, products: Iterable[PutProduct]) -> list[Outcome]:
        """Adds or changes products in one transaction, durable when this returns.

        A photo that a product has already keeps its image id, whatever its uri is now.
        """
        with self._transaction() as snapshot:
            return [
                self._put(put, snapshot.products([put.product_id]).get(put.product_id))
                for put in products
            ]

    def remove(self, product_ids: Iterable[str]) -> list[str]:
        """Removes products in one transaction, durable when this returns; says which existed."""
        with self._transaction() as snapshot:
            found = snapshot.products(product_ids)
            for product in found.values():
                for image in product.images:
                    self._remove_image(image)
                self._db.execute("DELETE FROM products WHERE product_id = ?", (product.product_id,))
                self._record("remove_product", product.product_id)
            return sorted(found)

    def _put(self, put: PutProduct, stored: Product | None) -> Outcome:
        result = outcome(put, stored)
        if result != "unchanged":
            self._db.execute(
                "INSERT INTO products VALUES (?, ?)"
                " ON CONFLICT DO UPDATE SET attributes = excluded.attributes",
                (put.product_id, as_json(put.attributes)),
            )
            self._put_images(put, stored.images if stored else ())
            self._record("put_product", put.product_id)
        return result

    def _put_images(self, put: PutProduct, stored: tuple[Image, ...]) -> None:
        kept: dict[str, deque[Image]] = {}
        for image in stored:
            kept.setdefault(image.content_hash, deque()).append(image)
        for position, new in enumerate(put.images):
            if same := kept.get(new.content_hash):
                self._db.execute(
                    "UPDATE images SET uri = ?, location = ?, position = ? WHERE image_id = ?",
                    (new.uri, new.location, position, same.popleft().image_id),
                )
            else:
                self._add_image(put.product_id, new, position)
        for leftover in kept.values():
            for image in leftover:
                self._remove_image(image)

    def _add_image(self, product_id: str, new: NewImage, position: int) -> None:
        if new.vector is None:
            raise ValueError(f"a new photo of {product_id!r} without a vector")
        image_id = self._db.execute(
            "INSERT INTO images (product_id, position, uri, location, content_hash)"
            " VALUES (?, ?, ?, ?, ?)",
            (product_id, position, new.uri, new.location, new.content_hash),
        ).lastrowid
        blob = new.vector.astype("<f4", copy=False).tobytes()
        self._db.execute(
            "INSERT INTO embeddings VALUES (?, ?, ?)", (image_id, blob, zlib.crc32(blob))
        )
        self._record("add_image", product_id, image_id)

    def _remove_image(self, image: Image) -> None:
        self._db.execute("DELETE FROM images WHERE image_id = ?", (image.image_id,))
        self._record("remove_image", image.product_id, image.image_id)

    def _record(self, operation: str, product_id: str, image_id: int | None = None) -> None:
        self._db.execute(
            "INSERT INTO journal (at, operation, product_id, image_id) VALUES (?, ?, ?, ?)",
            (now(), operation, product_id, image_id),
        )

    @contextmanager
    def _transaction(self) -> Iterator[CatalogSnapshot]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield CatalogSnapshot(self._db)
            self._db.execute("COMMIT")
        except BaseException:
            self._db.rollback()
            raise

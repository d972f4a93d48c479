"""Writes to a catalogue: each batch is a transaction, each change a row of the journal."""

import json
import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from indexer.arrays import Vectors, batched
from indexer.errors import FingerprintMismatchError
from indexer.store.base import Reader
from indexer.store.embedded.catalog.checksums import checksum, path_of
from indexer.store.embedded.catalog.high_water_mark import HighWaterMark, HighWaterMarkFile
from indexer.store.embedded.catalog.reader import CatalogReader
from indexer.store.embedded.catalog.schema import End, now, seal
from indexer.store.places import stored_location
from indexer.store.records import (
    Image,
    NewImage,
    Outcome,
    Product,
    PutProduct,
    as_json,
    outcome,
)

_BATCH = 500


class CatalogWriter:
    """Writes to a catalogue. Created by `Catalog.writer`, which holds the writer's lock."""

    def __init__(self, connection: sqlite3.Connection, mark: HighWaterMarkFile) -> None:
        self._db = connection
        self._mark = mark
        self._folder = Path(path_of(connection)).parent
        self._end = End(0, 0, 0)  # of the journal; each transaction starts from the stored one

    def bind(
        self,
        *,
        fingerprint: str,
        weights: str,
        dimension: int,
        fields: Mapping[str, str | int] | None = None,
    ) -> None:
        """Records the settings of the catalogue's embeddings; see `indexer.store.Writer`.

        Raises:
            FingerprintMismatchError: the catalogue holds embeddings of other settings.
        """
        with self.transaction() as reader:
            present = reader.fingerprint
            if present is None or reader.counts() == (0, 0):
                self._set_embedding(fingerprint, weights, dimension, fields)
            elif (present, reader.dimension) != (fingerprint, dimension):
                raise FingerprintMismatchError(
                    f"this catalogue holds embeddings of {reader.meta('weights')} (fingerprint"
                    f" {present[:12]}, {reader.dimension} values), received {weights}"
                    f" ({fingerprint[:12]}, {dimension} values)",
                    "use another collection or data_dir",
                )
            elif fields and reader.embedding_fields is None:
                self._set_fields(fields)

    def put(self, products: Iterable[PutProduct]) -> list[Outcome]:
        """Adds or updates products in one transaction. Durable when this returns.

        A photo that a product already has keeps its image id, even if its uri changed.
        """
        with self.transaction() as reader:
            return [
                self._put(put, reader.products([put.product_id]).get(put.product_id))
                for put in products
            ]

    def remove(self, product_ids: Iterable[str]) -> list[str]:
        """Removes products in one transaction; returns the ids that existed. Durable on return."""
        with self.transaction() as reader:
            return self._remove(reader.products(product_ids).values())

    def copy_from(self, other: CatalogReader) -> None:
        """Makes this catalogue equal to another one in one transaction. Durable when this returns.

        Data that is equal in both is not written; a photo that is added gets a new image id.
        """
        with self.transaction() as reader:
            same_kind = reader.fingerprint == other.fingerprint
            wanted = list(other.product_ids())
            kept = set(wanted) if same_kind else set()
            surplus = [i for i in reader.product_ids() if i not in kept]
            for batch in batched(surplus, _BATCH):
                self._remove(reader.products(batch).values())
            if not same_kind and other.fingerprint and other.dimension:
                self._set_embedding(
                    other.fingerprint,
                    str(other.meta("weights")),
                    other.dimension,
                    other.embedding_fields,
                )
            for batch in batched(wanted, _BATCH):
                stored = reader.products(batch)
                differing = [
                    product
                    for product_id, product in other.products(batch).items()
                    if outcome(product, stored.get(product_id)) != "unchanged"
                ]
                for put in as_puts(other, differing):
                    self._put(put, stored.get(put.product_id))

    def advance_past(self, mark: HighWaterMark) -> None:
        """Advances the counters past `mark`, whose numbers may have been used before."""
        with self.transaction():
            seq, image_id = max(self._end.seq, mark.seq), max(self._end.image_id, mark.image_id)
            self._end = End(seq, self._end.chain, image_id)

    def _set_embedding(
        self,
        fingerprint: str,
        weights: str,
        dimension: int,
        fields: Mapping[str, str | int] | None,
    ) -> None:
        self._set_meta(fingerprint=fingerprint, weights=weights, dimension=str(dimension))
        if fields:
            self._set_fields(fields)
        else:
            self._db.execute("DELETE FROM meta WHERE key = 'embedding'")

    def _set_fields(self, fields: Mapping[str, str | int]) -> None:
        self._set_meta(embedding=json.dumps(fields, sort_keys=True))

    def _set_meta(self, **rows: str) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO meta VALUES (?, ?, ?)",
            [(key, value, checksum(key, value)) for key, value in rows.items()],
        )

    def _remove(self, products: Iterable[Product]) -> list[str]:
        removed = []
        for product in products:
            for image in product.images:
                self._remove_image(image)
            self._db.execute("DELETE FROM products WHERE product_id = ?", (product.product_id,))
            self._record("remove_product", product.product_id)
            removed.append(product.product_id)
        return sorted(removed)

    def _put(self, put: PutProduct, stored: Product | None) -> Outcome:
        put = replace(put, images=tuple(self._as_stored(image) for image in put.images))
        result = outcome(put, stored)
        if result != "unchanged":
            if stored is None:  # images refer to it
                self._db.execute("INSERT INTO products VALUES (?, '', 0)", (put.product_id,))
            covered = self._put_images(put, stored.images if stored else ())
            attributes = as_json(put.attributes)
            self._db.execute(
                "UPDATE products SET attributes = ?, checksum = ? WHERE product_id = ?",
                (attributes, checksum(put.product_id, attributes, covered), put.product_id),
            )
            self._record("put_product", put.product_id)
        return result

    def _as_stored(self, image: NewImage) -> NewImage:
        location = stored_location(self._folder, image.location, image.content_hash)
        return image if location == image.location else replace(image, location=location)

    def _put_images(self, put: PutProduct, stored: tuple[Image, ...]) -> int:
        """Writes the images of a product; returns the sum of their checksums."""
        kept: dict[str, deque[Image]] = {}
        for image in stored:
            kept.setdefault(image.content_hash, deque()).append(image)
        covered = 0
        for position, new in enumerate(put.images):
            same = kept.get(new.content_hash)
            image_id = same.popleft().image_id if same else self._end.image_id + 1
            row = image_id, put.product_id, position, new.uri, new.location, new.content_hash
            row_sum = checksum(*row)
            covered += row_sum
            if image_id > self._end.image_id:
                self._db.execute("INSERT INTO images VALUES (?, ?, ?, ?, ?, ?, ?)", (*row, row_sum))
                self._add_vector(put.product_id, image_id, new)
            else:
                self._db.execute(
                    "UPDATE images SET position = ?, uri = ?, location = ?, checksum = ?"
                    " WHERE image_id = ?",
                    (position, new.uri, new.location, row_sum, image_id),
                )
        for leftover in kept.values():
            for image in leftover:
                self._remove_image(image)
        return covered

    def _add_vector(self, product_id: str, image_id: int, new: NewImage) -> None:
        if new.vector is None:
            raise ValueError(f"a new photo of {product_id!r} has no vector")
        blob = new.vector.astype("<f4", copy=False).tobytes()
        self._db.execute(
            "INSERT INTO embeddings VALUES (?, ?, ?)", (image_id, blob, checksum(image_id, blob))
        )
        self._record("add_image", product_id, image_id)

    def _remove_image(self, image: Image) -> None:
        self._db.execute("DELETE FROM images WHERE image_id = ?", (image.image_id,))
        self._record("remove_image", image.product_id, image.image_id)

    def _record(self, operation: str, product_id: str, image_id: int | None = None) -> None:
        row = self._end.seq + 1, now(), operation, product_id, image_id
        row_sum = checksum(self._end.chain, *row)
        self._db.execute("INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?)", (*row, row_sum))
        self._end = self._end.after(row[0], image_id, row_sum)

    @contextmanager
    def transaction(self) -> Iterator[CatalogReader]:
        """Runs the block as one transaction, which is durable when the block ends."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            reader = CatalogReader(self._db)
            self._end = reader.end
            yield reader
            seal(self._db, self._end)
            self._db.execute("COMMIT")
        except BaseException:
            self._db.rollback()
            raise
        self._mark.write(HighWaterMark(self._end.seq, self._end.image_id))


def as_puts(
    other: Reader,
    products: list[Product],
    function: Callable[[Vectors], Vectors] | None = None,
) -> list[PutProduct]:
    """Converts products of another catalogue, with their vectors, for `CatalogWriter.put`.

    Args:
        other: the catalogue.
        products: of it.
        function: of the vectors, float32 (n, d); None leaves them as they are.
    """
    ids, vectors = other.vectors([i.image_id for product in products for i in product.images])
    vector_of = dict(zip(ids.tolist(), function(vectors) if function else vectors, strict=True))
    return [
        PutProduct(
            product.product_id,
            product.attributes,
            tuple(
                NewImage(i.uri, i.location, i.content_hash, vector_of[i.image_id])
                for i in product.images
            ),
        )
        for product in products
    ]

"""Reads a catalogue as of one `seq`, verifying the checksum of every row."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from indexer.arrays import Ids, Vectors
from indexer.errors import DamagedError
from indexer.store.embedded.catalog.checksums import checksum, damaged, require
from indexer.store.embedded.catalog.schema import End
from indexer.store.places import UPLOADS, is_uploaded
from indexer.store.records import Image, Product

_VECTORS_PER_CHUNK = 8192
_IMAGE = "image_id, product_id, position, uri, location, content_hash, checksum"


@dataclass(frozen=True)
class Changes:
    """Images added and removed between two values of `seq`; the arrays are disjoint.

    `product_ids` are those of the products that the images belong or belonged to.
    """

    added: Ids
    removed: Ids
    product_ids: frozenset[str]


class CatalogReader:
    """One read transaction.

    Every method raises a DamagedError that names the file and the row if the data is damaged.
    Ids are passed to statements as one JSON array, so that their number is not limited.

    Attributes:
        connection: in the read transaction; only for other modules of this package.
        generation: incremented when the embeddings are replaced by those of another model.
        end: the end of the journal.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        # The first statement fixes the version that this transaction sees.
        row = connection.execute(
            "SELECT products, images, generation, seq, chain, last_image_id, checksum FROM state"
        ).fetchone()
        if row is None or checksum(*row[:-1]) != row[-1]:
            raise self._damaged("the row of table state")
        self._counts = row[:2]
        self.generation: int = row[2]
        self.end = End(*row[3:6])

    @property
    def seq(self) -> int:
        """Number of the last change."""
        return self.end.seq

    @property
    def version(self) -> str:
        """Stands for everything that this reader sees; another catalogue has another one."""
        return f"{self.generation}-{self.end.seq}-{self.end.chain}"

    def meta(self, key: str) -> str | None:
        """Returns a value of table meta; None before the first embedding."""
        value = self._meta(key)
        if value is None and self.generation:
            raise self._damaged(f"row {key!r} of table meta")
        return value

    @property
    def fingerprint(self) -> str | None:
        """Fingerprint of all embeddings; None before the first."""
        return self.meta("fingerprint")

    @property
    def weights(self) -> str | None:
        """Name or path of the weights of all embeddings; None before the first."""
        return self.meta("weights")

    @property
    def dimension(self) -> int | None:
        """Length of all embeddings; None before the first."""
        value = self.meta("dimension")
        return None if value is None else int(value)

    @property
    def embedding_fields(self) -> dict[str, str | int] | None:
        """The fields that the fingerprint covers; None if they were not recorded."""
        value = self._meta("embedding")
        fields: dict[str, str | int] | None = None if value is None else json.loads(value)
        return fields

    def counts(self) -> tuple[int, int]:
        """Returns the number of products and of images."""
        products, images = self._counts
        return products, images

    def product_ids(self, after: str = "") -> Iterator[str]:
        """Yields every product id above `after`, in code point order."""
        number = 0
        for (product_id,) in self.connection.execute(
            "SELECT product_id FROM products WHERE product_id > ? ORDER BY 1", (after,)
        ):
            number += 1
            yield product_id
        if not after:
            self.require_count("products", number, self._counts[0])

    def products(self, product_ids: Iterable[str]) -> dict[str, Product]:
        """Returns the products by id, without those that do not exist."""
        wanted = json.dumps(list(product_ids))
        images: dict[str, list[Image]] = {}
        sums: dict[str, int] = {}
        for image, image_sum in self._images(
            "product_id IN (SELECT value FROM json_each(?)) ORDER BY product_id, position", wanted
        ):
            images.setdefault(image.product_id, []).append(image)
            sums[image.product_id] = sums.get(image.product_id, 0) + image_sum
        found = {}
        for product_id, attributes, stored in self.connection.execute(
            "SELECT product_id, attributes, checksum FROM products"
            " WHERE product_id IN (SELECT value FROM json_each(?))",
            (wanted,),
        ):
            covered = sums.pop(product_id, 0)
            require(self.connection, "products", stored, product_id, attributes, covered)
            of_product = tuple(images.get(product_id, ()))
            found[product_id] = Product(product_id, json.loads(attributes), of_product)
        for product_id in sums:  # it has images, so it must exist
            raise self._damaged(f"row {product_id!r} of table products")
        return found

    def images(self, image_ids: Iterable[int]) -> dict[int, Image]:
        """Returns the images by id, without those that do not exist."""
        wanted = json.dumps([int(i) for i in image_ids])
        found = self._images("image_id IN (SELECT value FROM json_each(?))", wanted)
        return {image.image_id: image for image, _ in found}

    def all_images(self) -> Iterator[Image]:
        """Yields every image, by ascending id."""
        number = 0
        for image, _ in self._images("image_id > ? ORDER BY image_id", "0"):
            number += 1
            yield image
        self.require_count("images", number, self._counts[1])

    def uploads(self) -> Iterator[Image]:
        """Yields the uploaded images."""
        for image, _ in self._images("location GLOB ? ORDER BY image_id", f"{UPLOADS}/*"):
            if is_uploaded(image):
                yield image

    def products_of(self, image_ids: Ids) -> dict[int, str]:
        """Returns the product id of each image; all images must exist."""
        found = self.images(image_ids)
        self._require_all("images", image_ids, found)
        return {image_id: image.product_id for image_id, image in found.items()}

    def known_photos(self, content_hashes: Iterable[str]) -> dict[str, int]:
        """Returns an image id for each content hash that is already embedded."""
        found = self._images(
            "content_hash IN (SELECT value FROM json_each(?)) ORDER BY image_id DESC",
            json.dumps(list(content_hashes)),
        )
        return {image.content_hash: image.image_id for image, _ in found}

    def vectors(self, image_ids: Sequence[int] | Ids) -> tuple[Ids, Vectors]:
        """Returns the embeddings of existing images: ids (n,) ascending, vectors (n, dimension)."""
        rows = self.connection.execute(
            "SELECT image_id, vector, checksum FROM embeddings"
            " WHERE image_id IN (SELECT value FROM json_each(?)) ORDER BY image_id",
            (json.dumps([int(i) for i in image_ids]),),
        )
        ids, vectors = self._decode(rows.fetchall())
        self._require_all("embeddings", image_ids, ids.tolist())
        return ids, vectors

    def all_vectors(self) -> Iterator[tuple[Ids, Vectors]]:
        """Yields all embeddings in chunks like those of `vectors`, by ascending id."""
        number = 0
        rows = self.connection.execute(
            "SELECT image_id, vector, checksum FROM embeddings ORDER BY image_id"
        )
        while chunk := rows.fetchmany(_VECTORS_PER_CHUNK):
            number += len(chunk)
            yield self._decode(chunk)
        self.require_count("embeddings", number, self._counts[1])

    def changes_since(self, seq: int) -> Changes:
        """Returns the images added and removed after `seq`, without those that were both."""
        added: dict[int, str] = {}
        removed: dict[int, str] = {}
        for operation, image_id, product_id in self._image_journal(seq):
            if operation == "add_image":
                added[image_id] = product_id
            elif image_id in added:
                del added[image_id]
            else:
                removed[image_id] = product_id
        product_ids = frozenset([*added.values(), *removed.values()])
        return Changes(_ids(sorted(added)), _ids(sorted(removed)), product_ids)

    def journal_rows(self) -> int:
        """Returns the number of rows of the journal, with those of its gaps."""
        (rows,) = self.connection.execute(
            "SELECT (SELECT max(seq) FROM journal) - (SELECT min(seq) FROM journal) + 1"
        ).fetchone()
        return rows or 0

    def copy_to(self, path: Path) -> None:
        """Copies this version of the catalogue to a new file."""
        copy = sqlite3.connect(path)
        try:
            self.connection.backup(copy)
        finally:
            copy.close()

    def _meta(self, key: str) -> str | None:
        row = self.connection.execute(
            "SELECT value, checksum FROM meta WHERE key = ?", (key,)
        ).fetchone()
        if row is None:
            return None
        require(self.connection, "meta", row[1], key, row[0])
        return str(row[0])

    def _image_journal(self, seq: int) -> Iterator[tuple[str, int, str]]:
        """Yields operation, image id and product id of the journal's image rows after `seq`."""
        chain = self.chain_at(seq)
        for number, at, operation, product_id, image_id, stored in self.connection.execute(
            "SELECT seq, at, operation, product_id, image_id, checksum FROM journal"
            " INDEXED BY journal_of_images WHERE image_id IS NOT NULL AND seq > ? ORDER BY seq",
            (seq,),
        ):
            chain = checksum(chain, number, at, operation, product_id, image_id)
            if chain != stored:
                raise self._damaged(f"row {number} of table journal, or one before it,")
            yield operation, image_id, product_id
        if chain != self.end.chain:
            raise self._damaged(f"the end of table journal, up to row {self.seq},")

    def chain_at(self, seq: int) -> int:
        """Returns the checksum of the last image row of the journal up to `seq`."""
        before = self.connection.execute(
            "SELECT checksum FROM journal INDEXED BY journal_of_images"
            " WHERE image_id IS NOT NULL AND seq <= ? ORDER BY seq DESC LIMIT 1",
            (seq,),
        ).fetchone()
        return before[0] if before else 0

    def _images(self, where: str, wanted: str) -> Iterator[tuple[Image, int]]:
        """Yields images and their checksums."""
        for row in self.connection.execute(f"SELECT {_IMAGE} FROM images WHERE {where}", (wanted,)):  # noqa: S608
            require(self.connection, "images", row[-1], *row[:-1])
            image_id, product_id, _, uri, location, content_hash, stored = row
            yield Image(image_id, product_id, uri, location, content_hash), stored

    def _decode(self, rows: list[tuple[int, bytes, int]]) -> tuple[Ids, Vectors]:
        for image_id, vector, stored in rows:
            require(self.connection, "embeddings", stored, image_id, vector)
        blob = b"".join(vector for _, vector, _ in rows)
        dimension = len(rows[0][1]) // 4 if rows else self.dimension or 0
        matrix = np.frombuffer(blob, dtype="<f4").reshape(len(rows), dimension)
        return _ids(image_id for image_id, _, _ in rows), matrix

    def missing_image(self, image_id: int) -> DamagedError:
        """Returns the error for an image of an index that is missing in the catalogue."""
        return self._damaged(f"row {image_id} of table images")

    def _require_all(self, table: str, wanted: Iterable[int], found: Iterable[int]) -> None:
        for image_id in sorted(set(map(int, wanted)).difference(found)):
            raise self._damaged(f"row {image_id} of table {table}")

    def require_count(self, table: str, found: int, expected: int) -> None:
        """Checks the number of rows of a table.

        Raises:
            DamagedError: rows are missing.
        """
        if found != expected:
            raise self._damaged(f"table {table}, with {found} of {expected} rows,")

    def _damaged(self, what: str) -> DamagedError:
        return damaged(self.connection, what)


def _ids(values: Iterable[int]) -> Ids:
    return np.fromiter(values, dtype=np.int64)

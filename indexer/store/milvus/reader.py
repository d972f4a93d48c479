"""Reads one version of a collection."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from indexer.arrays import Ids, Vector, Vectors, batched
from indexer.errors import DamagedError, StorageError
from indexer.store.milvus.connection import Connection, Row
from indexer.store.milvus.expressions import KEYS, LEAD, all_of, is_in, key, quoted
from indexer.store.milvus.rows import PRODUCT_FIELDS, image_of, products_of
from indexer.store.milvus.state import State
from indexer.store.records import Image, Product

# Versions that ended longer ago than this may be deleted.
KEPT_S = 600.0
_KEYS = 500  # in one expression
_CHUNK = 4096  # rows of one call
# Ids of more products are not sorted at once; a sample of them says where a page ends.
_SORTED, _SAMPLE = 10_000, 1000
# By index type, what finds nearly all of the nearest.
_SEARCHED_WITH = {"HNSW": {"ef": 128}, "IVF_FLAT": {"nprobe": 32}, "DISKANN": {"search_list": 128}}
_AT_LEAST_LIMIT = ("ef", "search_list")


class MilvusReader:
    """A version of a collection.

    Args:
        connection: to Milvus.
        state: the version.
        latest: returns the newest state.
    """

    def __init__(self, connection: Connection, state: State, latest: Callable[[], State]) -> None:
        self.state = state
        self._connection = connection
        self._latest = latest
        self._opened = time.monotonic()

    @property
    def seq(self) -> int:
        """Number of the last change."""
        return self.state.seq

    @property
    def version(self) -> str:
        """Stands for everything that this reader sees; another collection has another one."""
        return f"{self.state.table}-{self.seq}"

    @property
    def fingerprint(self) -> str | None:
        """Fingerprint of all embeddings; None before the first."""
        return self.state.fingerprint

    @property
    def weights(self) -> str | None:
        """Name or path of the weights of all embeddings; None before the first."""
        return self.state.weights

    @property
    def embedding_fields(self) -> dict[str, str | int] | None:
        """The fields that the fingerprint covers; None if they were not recorded."""
        return self.state.embedding

    @property
    def dimension(self) -> int | None:
        """Length of all embeddings; None before the first."""
        return self.state.dimension

    def counts(self) -> tuple[int, int]:
        """Returns the number of products and of images."""
        return self.state.products, self.state.images

    def product_ids(self, after: str = "") -> Iterator[str]:
        """Yields every product id above `after`, in code point order."""
        number, is_whole = 0, not after
        while found := self.ids_after(after, _CHUNK, "", self.state.products):
            yield from found
            number, after = number + len(found), found[-1]
        if is_whole:
            self._require_count("products", number, self.state.products)

    def products(self, product_ids: Iterable[str]) -> dict[str, Product]:
        """Returns the products by id, without those that do not exist."""
        return products_of(self.rows_of(product_ids, PRODUCT_FIELDS))

    def images(self, image_ids: Iterable[int]) -> dict[int, Image]:
        """Returns the images by id, without those that do not exist."""
        rows = self._rows_among("image_id", map(int, image_ids), PRODUCT_FIELDS)
        return {image.image_id: image for image in map(image_of, rows)}

    def known_photos(self, content_hashes: Iterable[str]) -> dict[str, int]:
        """Returns an image id for each content hash that is already embedded."""
        wanted = {key(each): each for each in content_hashes}
        rows = self._rows_among("content_key", wanted, PRODUCT_FIELDS)
        images = sorted(map(image_of, rows), key=lambda image: image.image_id, reverse=True)
        hashes = set(wanted.values())
        return {i.content_hash: i.image_id for i in images if i.content_hash in hashes}

    def vectors(self, image_ids: Sequence[int] | Ids) -> tuple[Ids, Vectors]:
        """Returns the embeddings of existing images: ids (n,) ascending, vectors (n, dimension)."""
        wanted = {int(each) for each in image_ids}
        ids, vectors = self._vectors(self._rows_among("image_id", wanted, ("image_id", "vector")))
        self._require_count("images", len(ids), len(wanted))
        return ids, vectors

    def all_vectors(self) -> Iterator[tuple[Ids, Vectors]]:
        """Yields all embeddings in chunks like those of `vectors`, by ascending id."""
        number = 0
        for first in range(0, self.state.last_image_id, _CHUNK):
            within = f"image_id > {first} and image_id <= {first + _CHUNK}"
            ids, vectors = self._vectors(self.rows(within, ("image_id", "vector")))
            number += len(ids)
            if len(ids):
                yield ids, vectors
        self._require_count("images", number, self.state.images)

    def ids_after(self, after: str, limit: int, expression: str, total: int) -> list[str]:
        """Returns the first ids of products that follow `after`, in code point order.

        Args:
            after: any text.
            limit: return at least so many, if there are.
            expression: that the products match.
            total: their number.
        """
        following = f"product_id > {quoted(after)}" if after else ""
        within, last = all_of([LEAD, expression, following]), ""
        if total > _SORTED:  # only up to an id that is probably far enough, by a sample
            share = _SAMPLE / total
            sample = self._ids(all_of([within, f"product_key < {int(share * KEYS)}"]))
            enough = int(2 * limit * share) + 10
            last = sample[enough] if enough < len(sample) else ""
        found = self._ids(all_of([within, f"product_id <= {quoted(last)}" if last else ""]))
        return self._ids(within) if last and len(found) < limit else found

    def vectors_where(self, expression: str) -> Vectors:
        """Returns the embeddings (n, dimension) of the rows that match an expression."""
        return self._vectors(self.rows(expression, ("image_id", "vector")))[1]

    def rows_of(self, product_ids: Iterable[str], fields: Sequence[str]) -> Iterator[Row]:
        """Yields the rows of products, without those that do not exist; `fields` has their id."""
        wanted = set(product_ids)
        for row in self._rows_among("product_key", map(key, wanted), fields):
            if row["product_id"] in wanted:
                yield row

    def rows(self, expression: str, fields: Sequence[str]) -> list[Row]:
        """Returns the rows of this version that match an expression; "" matches all."""
        if not self.state.table:
            return []
        self._require_kept()
        return self._connection.query(
            self.state.table, self.visible(expression), fields, at=self.state.written
        )

    def count(self, expression: str) -> int:
        """Counts the rows of this version that match an expression."""
        found = self.rows(expression, ("count(*)",))
        return int(found[0]["count(*)"]) if found else 0

    def nearest(
        self, queries: Vectors, expression: str, limit: int, *, below: float | None = None
    ) -> list[list[Row]]:
        """Returns the nearest rows of each query, best first.

        Args:
            queries: (m, dimension).
            expression: that rows match; "" matches all.
            limit: for each query.
            below: highest inner product of the rows; None returns all.
        """
        if not self.state.table:
            return [[] for _ in queries]
        self._require_kept()
        found = self._connection.search(
            self.state.table,
            list(queries),
            self.visible(expression),
            limit,
            self._search_params(limit),
            below=below,
            at=self.state.written,
        )
        return [_scored(query, hits) for query, hits in zip(queries, found, strict=True)]

    def _search_params(self, limit: int) -> dict[str, int]:
        """The parameters of the settings; those that must not be below the limit are raised."""
        settings = self._connection.settings
        found = dict(_SEARCHED_WITH.get(settings.index_type, {}) | settings.search_params)
        return {n: max(v, limit) if n in _AT_LEAST_LIMIT else v for n, v in found.items()}

    def visible(self, expression: str) -> str:
        """Restricts an expression to the rows of this version."""
        seq = self.state.seq
        version = f"added <= {seq} and gone > {seq}"
        return f"{version} and ({expression})" if expression else version

    def _ids(self, expression: str) -> list[str]:
        return sorted(row["product_id"] for row in self.rows(expression, ("product_id",)))

    def _rows_among(self, name: str, keys: Iterable[int], fields: Sequence[str]) -> Iterator[Row]:
        for batch in batched(sorted(set(keys)), _KEYS):
            yield from self.rows(is_in(name, batch), fields)

    def _vectors(self, rows: Iterable[Row]) -> tuple[Ids, Vectors]:
        ordered = sorted(rows, key=lambda row: int(row["image_id"]))
        ids = np.array([row["image_id"] for row in ordered], np.int64)
        vectors = np.array([row["vector"] for row in ordered], np.float32)
        return ids, vectors.reshape(len(ordered), self.dimension or 0)

    def _require_kept(self) -> None:
        if time.monotonic() - self._opened > KEPT_S and self._latest().vacuumed > self.seq:
            raise StorageError(
                f"version {self.seq} was read for more than {KEPT_S:.0f} s and was deleted"
                " meanwhile; try again"
            )

    def _require_count(self, what: str, found: int, expected: int) -> None:
        if found != expected:
            raise DamagedError(f"{self.state.table} in Milvus has {found} of {expected} {what}")


def _scored(query: Vector, hits: Sequence[Row]) -> list[Row]:
    """Returns hits with exact scores, which are equal for equal vectors, unlike float32 sums."""
    if not hits:
        return []
    vectors = np.array([hit["vector"] for hit in hits], np.float64)
    scores = (vectors * query).sum(axis=1) / np.linalg.norm(vectors, axis=1)
    return [{**hit, "score": score} for hit, score in zip(hits, scores.tolist(), strict=True)]

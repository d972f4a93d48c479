"""Writes to a collection: the rows of a batch first, then the row that makes them visible."""

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from indexer.arrays import Vector, batched
from indexer.errors import CatalogError, FingerprintMismatchError
from indexer.store.milvus import rows as table_rows
from indexer.store.milvus.connection import Connection, Row
from indexer.store.milvus.lease import Lease
from indexer.store.milvus.reader import KEPT_S, MilvusReader
from indexer.store.milvus.rows import ALL_FIELDS, FOREVER, NewRow
from indexer.store.milvus.state import Found, State, StateTable
from indexer.store.places import stored_location
from indexer.store.records import (
    Attributes,
    Image,
    NewImage,
    Outcome,
    Product,
    PutProduct,
    outcome,
)

log = logging.getLogger(__name__)

# One call may have 64 MB; a row has up to 150 kB.
_ROWS_PER_CALL = 256
_KEYS_PER_CALL = 10_000


class MilvusWriter:
    """Writes to a collection. Created by `MilvusStore.writer`, which holds the lease.

    Args:
        connection: to Milvus.
        state_table: of the collection.
        lease: held by this process.
        found: when the lease was taken.
        folder: of uploaded photos.
        committed: called with each new state.
    """

    def __init__(
        self,
        connection: Connection,
        state_table: StateTable,
        lease: Lease,
        found: Found,
        folder: Path,
        committed: Callable[[State], None],
    ) -> None:
        self.state = found.state
        self.is_clean = True  # whether there is no row of an unfinished batch
        self._connection = connection
        self._states = state_table
        self._lease = lease
        self._commits = list(found.commits)
        self._folder = folder
        self._committed = committed

    def bind(
        self,
        *,
        fingerprint: str,
        weights: str,
        dimension: int,
        fields: Mapping[str, str | int] | None = None,
    ) -> None:
        """Records the settings of the collection's embeddings; see `indexer.store.Writer`.

        Raises:
            FingerprintMismatchError: the collection holds embeddings of other settings.
        """
        state = self.state
        if state.fingerprint is None or not state.products:
            wanted = replace(
                state,
                fingerprint=fingerprint,
                weights=weights,
                dimension=dimension,
                embedding=dict(fields) if fields else None,
            )
            if wanted == state:
                return
            if not state.table or dimension != state.dimension:
                table = table_rows.create(self._connection, self._states.name, dimension)
                wanted = replace(wanted, table=table)
            self.commit(wanted)
        elif (state.fingerprint, state.dimension) != (fingerprint, dimension):
            raise FingerprintMismatchError(
                f"this collection holds embeddings of {state.weights} (fingerprint"
                f" {state.fingerprint[:12]}, {state.dimension} values), received {weights}"
                f" ({fingerprint[:12]}, {dimension} values)",
                "use another collection or milvus.prefix",
            )
        elif fields and state.embedding is None:
            self.commit(replace(state, embedding=dict(fields)))

    def put(self, products: Iterable[PutProduct]) -> list[Outcome]:
        """Adds or updates products, each batch of different products in one version.

        A photo that a product already has keeps its image id, even if its uri changed.
        """
        outcomes: list[Outcome] = []
        for batch in _different(products):
            outcomes += self._put(batch)
        return outcomes

    def remove(self, product_ids: Iterable[str]) -> list[str]:
        """Removes products in one version; returns the ids that existed."""
        reader = self._reader()
        old = list(reader.rows_of(product_ids, ALL_FIELDS))
        stored = table_rows.products_of(old)
        if stored:
            self._change([], old, stored.values(), ())
        return sorted(stored)

    def commit(self, state: State) -> None:
        """Makes a state the newest, as version `seq + 1`; then deletes what no reader needs."""
        now = time.time()
        at, marked = state.marked
        is_old = now - at > KEPT_S
        state = replace(
            state,
            seq=self.state.seq + 1,
            vacuumed=marked if is_old else state.vacuumed,
            marked=(now, self.state.seq + 1) if is_old else state.marked,
        )
        self._lease.require_held()
        row_id = self._states.write_commit(state)
        self.is_clean = True
        self.state = state
        self._committed(state)
        self._clean_up(row_id, vacuum=is_old and bool(state.table))

    def repair(self) -> None:
        """Undoes the batch that another process has left unfinished."""
        self.is_clean = False
        seq = self.state.seq
        if self.state.table:
            self.delete_where(f"added > {seq}")
            unended = self._connection.query(
                self.state.table, f"gone > {seq} and gone < {FOREVER}", ALL_FIELDS, at=None
            )
            self._write([{**table_rows.rewritten(row), "gone": FOREVER} for row in unended])
        self.is_clean = True

    def delete_where(self, expression: str) -> None:
        """Deletes the rows of all versions that match an expression."""
        table = self.state.table
        found = self._connection.query(table, expression, ("row_id",), at=None)
        for batch in batched((row["row_id"] for row in found), _KEYS_PER_CALL):
            self._connection.delete(table, batch)

    def _clean_up(self, row_id: str, *, vacuum: bool) -> None:
        """Deletes older commits and rows that no reader needs; the next commit tries again."""
        self._commits.append(row_id)
        try:
            self._states.delete(self._commits[:-1])
            del self._commits[:-1]
            if vacuum:
                self.delete_where(f"gone <= {self.state.vacuumed}")
        except CatalogError as error:
            log.warning("%s: old rows remain: %s", self._states.name, error)

    def _put(self, puts: Sequence[PutProduct]) -> list[Outcome]:
        puts = [replace(put, images=tuple(map(self._as_stored, put.images))) for put in puts]
        reader = self._reader()
        stored = reader.products(put.product_id for put in puts)
        outcomes = [outcome(put, stored.get(put.product_id)) for put in puts]
        changed = [p for p, what in zip(puts, outcomes, strict=True) if what != "unchanged"]
        if changed:
            before = [put.product_id for put in changed if put.product_id in stored]
            old = list(reader.rows_of(before, ALL_FIELDS)) if before else []
            vectors = {int(row["image_id"]): np.asarray(row["vector"], np.float32) for row in old}
            ids = iter(range(self.state.last_image_id + 1, FOREVER))
            new = [
                row
                for put in changed
                for row in _rows_of(put, stored.get(put.product_id), vectors, ids)
            ]
            self._change(new, old, [stored[name] for name in before], changed)
        return outcomes

    def _change(
        self,
        new: Sequence[NewRow],
        old: Sequence[Row],
        before: Iterable[Product],
        after: Iterable[PutProduct],
    ) -> None:
        """Replaces rows in one version, which is visible once everything is written."""
        seq, before, after = self.state.seq + 1, list(before), list(after)
        encoded = [row.encoded(seq) for row in new]
        self._lease.require_held()
        self.is_clean = False
        written = self._write([*encoded, *(table_rows.ended(row, seq) for row in old)])
        images = self.state.images
        self.commit(
            replace(
                self.state,
                written=written,
                products=self.state.products + len(after) - len(before),
                images=images + len(new) - len(old),
                last_image_id=max([self.state.last_image_id, *(row.image.image_id for row in new)]),
                names=_counted(
                    self.state.names,
                    [product.attributes for product in before],
                    [product.attributes for product in after],
                ),
            )
        )

    def _write(self, rows: Iterable[Row]) -> int:
        """Writes rows; returns the timestamp of the last write in Milvus."""
        written = self.state.written
        for batch in batched(rows, _ROWS_PER_CALL):
            written = self._connection.upsert(self.state.table, batch)
        return written

    def _reader(self) -> MilvusReader:
        return MilvusReader(self._connection, self.state, lambda: self.state)

    def _as_stored(self, image: NewImage) -> NewImage:
        location = stored_location(self._folder, image.location, image.content_hash)
        return image if location == image.location else replace(image, location=location)


def _different(products: Iterable[PutProduct]) -> Iterator[list[PutProduct]]:
    """Splits products into batches without a repeated id, in order."""
    batch: dict[str, PutProduct] = {}
    for put in products:
        if put.product_id in batch:
            yield list(batch.values())
            batch = {}
        batch[put.product_id] = put
    if batch:
        yield list(batch.values())


def _rows_of(
    put: PutProduct,
    stored: Product | None,
    vectors: Mapping[int, Vector],
    new_ids: Iterator[int],
) -> Iterator[NewRow]:
    """Yields the rows of a product; photos that it already has keep their ids and vectors."""
    kept: dict[str, deque[int]] = {}
    for image in stored.images if stored else ():
        kept.setdefault(image.content_hash, deque()).append(image.image_id)
    for position, new in enumerate(put.images):
        same = kept.get(new.content_hash)
        image_id = same.popleft() if same else next(new_ids)
        vector = vectors.get(image_id, new.vector)
        if vector is None:
            raise ValueError(f"a new photo of {put.product_id!r} has no vector")
        image = Image(image_id, put.product_id, new.uri, new.location, new.content_hash)
        yield NewRow(image, position, put.attributes, vector)


def _counted(
    names: Mapping[str, int], before: Iterable[Attributes], after: Iterable[Attributes]
) -> dict[str, int]:
    """Returns the number of products with each attribute after a change."""
    counts = Counter(names)
    counts.subtract(name for attributes in before for name in attributes)
    counts.update(name for attributes in after for name in attributes)
    return {name: count for name, count in sorted(counts.items()) if count > 0}

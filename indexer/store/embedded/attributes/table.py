"""An immutable table of the products of a collection, for filters, facets and grouping."""

import gc
from collections.abc import Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from indexer.arrays import Ids
from indexer.errors import BadFilterError, BadParameterError
from indexer.store import AttributeValue, Condition, FacetCount, Product
from indexer.store.embedded.attributes.block import Block, block_of, build, merge
from indexer.store.embedded.attributes.column import Column, Integers, Mask
from indexer.store.embedded.attributes.facets import most_frequent
from indexer.store.embedded.attributes.filters import members
from indexer.store.embedded.attributes.hashing import Hashing
from indexer.store.embedded.catalog import CatalogReader
from indexer.store.embedded.catalog.attributes import all_attributes, owners

# Small blocks are merged as in a view, so that a row is copied a logarithmic number of times.
_MERGE_FRACTION = 0.25


@dataclass(frozen=True)
class Table:
    """The products of a collection as of one `seq`.

    Rows are numbered across all blocks, older blocks first; masks (rows,) use these numbers.

    Args:
        seq: of the journal.
        blocks: a product is alive in at most one of them, the newest that contains it.
        hashing: of all keys.
    """

    seq: int = 0
    blocks: tuple[Block, ...] = ()
    hashing: Hashing = field(default_factory=Hashing)

    @classmethod
    def of(cls, reader: CatalogReader, hashing: Hashing | None = None) -> "Table":
        """Reads the table from a catalogue.

        Args:
            reader: of the catalogue.
            hashing: to compare with another table; None for a new one.
        """
        found, hashing = owners(reader), hashing or Hashing()
        if not found.product_ids:
            return cls(reader.seq, (), hashing)
        with _collector_paused():
            attributes = all_attributes(reader, found)
            block = build(found.product_ids, found.images, found.numbers, attributes, hashing)
        return cls(reader.seq, (block,), hashing)

    def advanced(self, seq: int, changed: Sequence[str], products: Sequence[Product]) -> "Table":
        """Returns the table as of a later `seq`, at a cost proportional to the changes.

        Args:
            seq: of the new table.
            changed: ids of all products that were written or removed.
            products: those of them that exist.
        """
        keys = self.hashing.of_texts(changed)
        blocks = [block.without(changed, keys) for block in self.blocks]
        if products := [product for product in products if product.images]:
            blocks.append(block_of(products, self.hashing))
        while len(blocks) > 1 and len(blocks[-1]) >= _MERGE_FRACTION * len(blocks[-2]):
            blocks[-2:] = [merge(blocks[-2:])]
        blocks = [block for block in blocks if block.alive.any()]
        return replace(self, seq=seq, blocks=tuple(blocks))

    def merged(self) -> "Table":
        """Returns the same table in one block at most, without rows that are not alive."""
        if len(self.blocks) == 1 and self.everything.all():
            return self
        return replace(self, blocks=(merge(self.blocks),) if self.blocks else ())

    def __len__(self) -> int:
        return int(np.count_nonzero(self.everything))

    @cached_property
    def everything(self) -> Mask:
        """Mask of all rows that are alive."""
        return self._joined(block.alive for block in self.blocks)

    def having(self, condition: Condition) -> Mask:
        """Returns a mask of the rows that match a condition; rows that are not alive may match.

        Raises:
            BadFilterError: no product has such an attribute.
        """
        columns = [block.column(condition.field) for block in self.blocks]
        chosen = members(condition, columns, self.hashing)
        found = self._joined(map(Column.having, columns, chosen))
        if not found.any() and len(self) and not self.has(condition.field):
            raise BadFilterError(
                f"received {condition.text!r:.200}; {self._unknown(condition.field)}"
            )
        return ~found if condition.negated else found

    def matching(self, conditions: Iterable[Condition]) -> Mask:
        """Returns a mask of the rows that are alive and match all conditions.

        Raises:
            BadFilterError: no product has the attribute of a condition.
        """
        rows = self.everything
        for condition in conditions:
            rows = rows & self.having(condition)
        return rows

    def counts(self, name: str, rows: Mask) -> list[Integers]:
        """Counts the rows by value of an attribute: of each block, those of each code.

        Raises:
            BadParameterError: no product has the attribute, or it has too many distinct values.
        """
        return [
            self._labelled(name, column).counts(part) for column, part in self._columns(name, rows)
        ]

    def counts_of(self, name: str, rows: Ids) -> list[Integers]:
        """Counts as `counts` does; `rows` are the numbers of a few rows."""
        found, start = [], 0
        for block in self.blocks:
            here = rows[(rows >= start) & (rows < start + len(block))]
            found.append(block.column(name).counts_of(here - start))
            start += len(block)
        return found

    def facet(self, name: str, counts: Sequence[Integers], limit: int) -> list[FacetCount]:
        """Returns the `limit` most frequent values, from `counts` of this attribute.

        Values that are equal to a filter are counted together, in their most frequent spelling.
        """
        keys: list[int] = []
        labels: list[AttributeValue] = []
        found: list[int] = []
        for block, part in zip(self.blocks, counts, strict=True):
            column, codes = block.column(name), np.flatnonzero(part)
            values = column.labels or ()
            keys += column.keys[codes].tolist()
            labels += [values[code] for code in codes.tolist()]
            found += part[codes].tolist()
        return most_frequent(keys, labels, found, limit)

    def first_values(self, name: str, product_ids: Sequence[str]) -> list[Hashable | None]:
        """Returns a key for the first value of an attribute of each product; None without a value.

        Raises:
            BadParameterError: no product has the attribute.
        """
        self.require(name)
        found = np.full(len(product_ids), None, object)
        hashes = self.hashing.of_texts(product_ids)
        for block in self.blocks:  # newer ones override
            places, rows = block.find(product_ids, hashes)
            keys, has = block.column(name).first_keys(rows)
            found[places] = None
            found[places[has]] = keys[has]
        return found.tolist()

    def distinct(self, name: str, rows: Mask) -> int:
        """Counts the groups of the rows by an attribute; each row without it is a separate group.

        Raises:
            BadParameterError: no product has the attribute.
        """
        alone, keys = int(np.count_nonzero(rows)), []
        for column, part in self._columns(name, rows):
            part_keys, grouped = column.groups(part)
            keys.append(part_keys)
            alone -= grouped
        if len(keys) == 1:
            return alone + len(keys[0])
        return alone + len(np.unique(np.concatenate([np.empty(0, np.int64), *keys])))

    def has(self, name: str) -> bool:
        """Returns whether any product has the attribute."""
        return any((block.column(name).present() & block.alive).any() for block in self.blocks)

    def require(self, name: str) -> None:
        """Checks that an attribute exists.

        Raises:
            BadParameterError: no product has the attribute.
        """
        if not self.has(name) and len(self):
            raise BadParameterError(self._unknown(name))

    def page(self, rows: Mask, after: str, limit: int) -> list[str]:
        """Returns the first `limit` product ids of the rows that follow `after`, sorted."""
        found: list[str] = []
        for block, part in self._parts(rows):
            found += block.following(part, after, limit)
        return sorted(found)[:limit]

    def images(self, rows: Mask) -> Mask:
        """Returns a mask over image ids: the images of the rows."""
        last = max((int(block.images[-1]) for block in self.blocks), default=-1)
        allowed = np.zeros(last + 1, np.bool_)
        for block, part in self._parts(rows):  # newer ones override
            if block.is_aligned:  # a tenth of the time
                allowed[block.images[0] : block.images[-1] + 1] = part
            else:
                allowed[block.images] = part[block.owners]
        return allowed

    def own(self, rows: Mask, images: Ids) -> Mask:
        """Returns which of the images (n,) belong to the rows of a mask."""
        found = np.zeros(len(images), np.bool_)
        for block, part in self._parts(rows):  # newer ones override
            places, owners = block.owners_of(images)
            found[places] = part[owners]
        return found

    def rows_of(self, product_ids: Iterable[str]) -> Ids:
        """Returns the numbers of the rows of products, without those that do not exist."""
        wanted, found, start = list(product_ids), [np.empty(0, np.int64)], 0
        keys = self.hashing.of_texts(wanted)
        for block in self.blocks:
            rows = block.find(wanted, keys)[1]
            found.append(rows[block.alive[rows]] + np.int64(start))
            start += len(block)
        return np.concatenate(found)

    def products_of(self, reader: CatalogReader, images: Ids) -> list[str]:
        """Returns the product id of each image.

        Raises:
            DamagedError: an image belongs to no product.
        """
        found = np.full(len(images), None, object)
        for block in self.blocks:  # newer ones override
            places, rows = block.owners_of(images)
            found[places] = block.product_ids.at(rows)
        if None in found:
            raise reader.missing_image(int(images[found.tolist().index(None)]))
        return found.tolist()

    @staticmethod
    def _joined(parts: Iterable[Mask]) -> Mask:
        masks = list(parts)
        return masks[0] if len(masks) == 1 else np.concatenate([np.empty(0, np.bool_), *masks])

    def _parts(self, rows: Mask) -> Iterator[tuple[Block, Mask]]:
        """Yields each block with its part of the mask."""
        start = 0
        for block in self.blocks:
            yield block, rows[start : start + len(block)]
            start += len(block)

    def _columns(self, name: str, rows: Mask) -> Iterator[tuple[Column, Mask]]:
        self.require(name)
        return ((block.column(name), part) for block, part in self._parts(rows))

    @staticmethod
    def _labelled(name: str, column: Column) -> Column:
        if column.labels is None:
            raise BadParameterError(
                f"facets: received {name!r}, which has too many different values to count;"
                " choose an attribute with fewer values"
            )
        return column

    def _unknown(self, name: str) -> str:
        names = sorted({name for block in self.blocks for name in block.columns})
        existing = ", ".join(filter(self.has, names))
        return f"no product has an attribute {name!r}; existing attributes: {existing}"


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Pauses the cyclic garbage collector, which would take a third of the time.

    Reading creates millions of short-lived objects without cycles, and each collection scans
    all objects.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()

"""The products of a collection as of one `seq`, for filters, counts and grouping: immutable."""

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from indexer.arrays import Ids
from indexer.errors import BadFilterError, BadParameterError
from indexer.store import AttributeValue, Condition, FacetCount, Product
from indexer.store.embedded.attributes.block import Block, build, merge
from indexer.store.embedded.attributes.column import Column, Mask, Rows
from indexer.store.embedded.attributes.filters import members
from indexer.store.embedded.attributes.values import Keys
from indexer.store.embedded.catalog import CatalogSnapshot
from indexer.store.embedded.catalog.attributes import all_attributes, owners

# As in a view: small blocks are merged, so that a row is copied a logarithmic number of times.
_MERGE_FRACTION = 0.25
_NONE: Rows = np.empty(0, np.int64)


@dataclass(frozen=True)
class Table:
    """Rows are numbered through all blocks, elder ones first; those of a mask (rows,) likewise.

    Args:
        seq: the journal's.
        blocks: each product is alive in one of them at most, and if so in the youngest.
        dead: the rows of each block, ascending, of products that changed or went.
    """

    seq: int = 0
    blocks: tuple[Block, ...] = ()
    dead: tuple[Rows, ...] = field(default=())

    @classmethod
    def of(cls, snapshot: CatalogSnapshot) -> "Table":
        """Reads the whole catalogue."""
        own = owners(snapshot)
        if not len(own.images):
            return cls(snapshot.seq)
        with _collector_paused():
            block = build(own.product_ids, own.images, own.numbers, all_attributes(snapshot, own))
        return cls(snapshot.seq, (block,), (_NONE,))

    def advanced(self, seq: int, changed: Sequence[str], products: Sequence[Product]) -> "Table":
        """The table as of a later `seq`, at a cost that goes with the change.

        Args:
            changed: the ids of all that were put or removed.
            products: those of them that are still there.
        """
        dead = []
        for block, gone in zip(self.blocks, self.dead, strict=True):
            rows = block.find(changed)
            dead.append(np.union1d(gone, rows[rows >= 0]))
        blocks = list(self.blocks)
        if products := [product for product in products if product.images]:
            blocks.append(_block_of(products))
            dead.append(_NONE)
        while len(blocks) > 1 and len(blocks[-1]) >= _MERGE_FRACTION * len(blocks[-2]):
            alive = [_alive(blocks[at], dead[at]) for at in (-2, -1)]
            blocks[-2:] = [merge(blocks[-2:], alive)]
            dead[-2:] = [_NONE]
            if not len(blocks[-1]):
                del blocks[-1], dead[-1]
        return Table(seq, tuple(blocks), tuple(dead))

    def __len__(self) -> int:
        return sum(map(len, self.blocks)) - sum(map(len, self.dead))

    @cached_property
    def fields(self) -> list[str]:
        """Every attribute that a product has."""
        names = {name for block in self.blocks for name in block.columns}
        return sorted(name for name in names if self._present(name)[self.everything].any())

    @cached_property
    def everything(self) -> Mask:
        """All rows but the dead ones."""
        return self._joined(map(_alive, self.blocks, self.dead))

    def having(self, condition: Condition) -> Mask:
        """The rows that meet a condition; dead ones may be among them.

        Raises:
            BadFilterError: no product has such an attribute.
        """
        found = self._joined(
            column.having(members(condition, column), len(block))
            if (column := block.columns.get(condition.field))
            else np.zeros(len(block), np.bool_)
            for block in self.blocks
        )
        if len(self) and not found.any() and not self.has(condition.field):
            raise BadFilterError(
                f"received {condition.text!r:.200}; {self._unknown(condition.field)}"
            )
        return ~found if condition.negated else found

    def facet(self, name: str, rows: Mask, most: int) -> list[FacetCount]:
        """How many of the rows have each value of an attribute, the most frequent values first.

        Values that a filter holds for equal are counted together, and shown as most write them.

        Raises:
            BadParameterError: no product has the attribute, or its values are too many.
        """
        keys, labels, counts = [], [], []
        for column, part in self._columns(name, rows):
            if column.labels is None:
                raise BadParameterError(
                    f"facets: received {name!r}, which has too many different values to count;"
                    " choose an attribute whose values many products share"
                )
            members, found = column.counts(part)
            keys.append(column.keys[members])
            counts.append(found)
            labels += [column.labels[member] for member in members.tolist()]
        return _most_frequent(_concatenated(keys), labels, _concatenated(counts), most)

    def first_keys(self, name: str, rows: Rows) -> tuple[Keys, Mask]:
        """A number for the first value that each product has of an attribute, and who has one.

        Raises:
            BadParameterError: no product has the attribute.
        """
        self.require(name)
        keys, has = np.zeros(len(rows), np.int64), np.zeros(len(rows), np.bool_)
        for block, start in zip(self.blocks, self._starts, strict=True):
            here = np.flatnonzero((rows >= start) & (rows < start + len(block)))
            if len(here) and (column := block.columns.get(name)):
                keys[here], has[here] = column.first_keys(rows[here] - start)
        return keys, has

    def distinct(self, name: str, rows: Mask) -> int:
        """How many groups the rows make by an attribute; one without it is a group of its own."""
        alone, keys = int(np.count_nonzero(rows)), []
        for column, part in self._columns(name, rows):
            own, without = column.groups(part)
            alone -= int(np.count_nonzero(part)) - without
            keys.append(own)
        return alone + (len(keys[0]) if len(keys) == 1 else len(np.unique(_concatenated(keys))))

    def has(self, name: str) -> bool:
        """Whether any product has the attribute."""
        return bool((self._present(name) & self.everything).any())

    def require(self, name: str) -> None:
        """
        Raises:
            BadParameterError: no product has the attribute.
        """
        if len(self) and not self.has(name):
            raise BadParameterError(self._unknown(name))

    def images(self, rows: Mask) -> Mask:
        """Which image ids are of these rows."""
        last = max((int(block.images[-1]) for block in self.blocks), default=-1)
        allowed = np.zeros(last + 1, np.bool_)
        for block, start in zip(self.blocks, self._starts, strict=True):  # younger ones overrule
            allowed[block.images] = rows[start : start + len(block)][block.owners]
        return allowed

    def rows_of(self, images: Ids) -> Rows:
        """The row of each image's product, -1 for images that are in none."""
        found = np.full(len(images), -1, np.int64)
        for block, start in zip(self.blocks, self._starts, strict=True):
            rows = block.owners_of(images)
            found = np.where(rows >= 0, rows + start, found)
        return found

    def find(self, product_ids: Sequence[str]) -> Rows:
        """The row of each product; all of them must exist and have an image."""
        found = np.full(len(product_ids), -1, np.int64)
        for block, start in zip(self.blocks, self._starts, strict=True):
            rows = block.find(product_ids)
            found = np.where(rows >= 0, rows + start, found)
        return found[found >= 0]

    def product_ids(self, rows: Rows) -> list[str]:
        blocks = np.searchsorted(self._starts, rows, "right") - 1
        return [
            self.blocks[at].product_ids([row - self._starts[at]])[0]
            for at, row in zip(blocks.tolist(), rows.tolist(), strict=True)
        ]

    def products_of(self, snapshot: CatalogSnapshot, images: Ids) -> list[str]:
        """The product id of each image.

        Raises:
            DamagedError: an image is in no product.
        """
        rows = self.rows_of(images)
        if len(rows) and rows.min() < 0:
            raise snapshot.missing_image(int(images[np.argmin(rows)]))
        return self.product_ids(rows)

    @cached_property
    def _starts(self) -> list[int]:
        sizes = [len(block) for block in self.blocks]
        return [sum(sizes[:at]) for at in range(len(sizes))]

    def _columns(self, name: str, rows: Mask) -> Iterator[tuple[Column, Mask]]:
        self.require(name)
        for block, start in zip(self.blocks, self._starts, strict=True):
            if column := block.columns.get(name):
                yield column, rows[start : start + len(block)]

    def _present(self, name: str) -> Mask:
        return self._joined(
            column.present(len(block))
            if (column := block.columns.get(name))
            else np.zeros(len(block), np.bool_)
            for block in self.blocks
        )

    def _unknown(self, name: str) -> str:
        return f"no product has an attribute {name!r}; there are: {', '.join(self.fields)}"

    @staticmethod
    def _joined(parts: Iterable[Mask]) -> Mask:
        masks = list(parts)
        return masks[0] if len(masks) == 1 else np.concatenate([np.empty(0, np.bool_), *masks])


def _most_frequent(
    keys: Keys, labels: Sequence[AttributeValue], counts: Rows, most: int
) -> list[FacetCount]:
    """The keys of the greatest sums of counts, each by the label that has most of it."""
    _, group = np.unique(keys, return_inverse=True)
    totals = np.bincount(group, counts).astype(np.int64)
    least = np.partition(totals, -most)[-most] if len(totals) > most else 0
    spellings: dict[int, dict[AttributeValue, int]] = {}
    for at in np.flatnonzero(totals[group] >= least).tolist():
        spelling = spellings.setdefault(int(group[at]), {})
        spelling[labels[at]] = spelling.get(labels[at], 0) + int(counts[at])
    shown = [
        FacetCount(min(same, key=lambda label: (-same[label], str(label))), int(totals[at]))
        for at, same in spellings.items()
    ]
    return sorted(shown, key=lambda facet: (-facet.count, str(facet.value)))[:most]


def _concatenated(parts: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.concatenate([np.empty(0, np.int64), *parts])


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Reading makes millions of objects that die at once and form no cycles; the collector, which
    looks through all there are whenever some were made, would take a third of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _alive(block: Block, dead: Rows) -> Mask:
    mask = np.ones(len(block), np.bool_)
    mask[dead] = False
    return mask


def _block_of(products: Sequence[Product]) -> Block:
    pairs = sorted(
        (image.image_id, row) for row, product in enumerate(products) for image in product.images
    )
    images, rows = np.array(pairs, np.int64).T
    own = [product.attributes for product in products]
    product_ids = [product.product_id for product in products]
    return build(product_ids, images.copy(), rows.copy(), [(list(range(len(own))), own)])

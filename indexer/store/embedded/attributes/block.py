"""Some products: their ids, their images, and a column for each attribute that one of them has."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexer.arrays import Ids
from indexer.store import Attributes, AttributeValue
from indexer.store.embedded.attributes.column import Codes, Column, ColumnBuilder, Mask, Rows

Offsets = NDArray[np.int64]


@dataclass(frozen=True)
class Block:
    """Immutable. Product i of it is row i.

    Args:
        text: every product id in UTF-8, one after the other.
        ends: (n + 1,) where they begin and end.
        hashes: (n,) of the ids, ascending, and order: (n,) the rows that these are of.
        images: (m,) ascending, and owners: (m,) the rows that these are of.
        columns: by attribute.
    """

    text: bytes
    ends: Offsets
    hashes: NDArray[np.int64]
    order: Rows
    images: Ids
    owners: Rows
    columns: dict[str, Column]

    def __len__(self) -> int:
        return len(self.order)

    def product_ids(self, rows: Iterable[int]) -> list[str]:
        return [self.text[self.ends[row] : self.ends[row + 1]].decode() for row in rows]

    def find(self, product_ids: Sequence[str]) -> Rows:
        """The row of each product, -1 for those that are not in here."""
        rows = np.full(len(product_ids), -1, np.int64)
        hashes = np.fromiter(map(hash, product_ids), np.int64, len(product_ids))
        for at, place in enumerate(np.searchsorted(self.hashes, hashes).tolist()):
            while place < len(self) and self.hashes[place] == hashes[at]:
                row = int(self.order[place])
                if self.product_ids([row]) == [product_ids[at]]:
                    rows[at] = row
                place += 1
        return rows

    def owners_of(self, images: Ids) -> Rows:
        """The row of each image's product, -1 for images that are not in here."""
        at = np.minimum(np.searchsorted(self.images, images), len(self.images) - 1)
        return np.where(self.images[at] == images, self.owners[at], -1)


def build(
    product_ids: list[str],
    images: Ids,
    owners: Rows,
    attributes: Iterable[tuple[list[int], list[Attributes]]],
) -> Block:
    """A block of products that each have an image; attributes are chunks of rows and their own."""
    builders: dict[str, ColumnBuilder] = {}
    for rows, chunk in attributes:
        for names, own, values in _shapes(rows, chunk):
            for name, column in zip(names, zip(*values, strict=True), strict=True):
                builders.setdefault(name, ColumnBuilder()).extend(own, column)
    return _block(product_ids, images, owners, builders)


def merge(blocks: Sequence[Block], alive: Sequence[Mask]) -> Block:
    """One block of the rows that are alive in several; elder blocks come first."""
    product_ids: list[str] = []
    builders: dict[str, ColumnBuilder] = {}
    images, owners = [], []
    for block, mask in zip(blocks, alive, strict=True):
        rows = np.flatnonzero(mask)
        becomes = np.full(len(block), -1, np.int64)
        becomes[rows] = np.arange(len(product_ids), len(product_ids) + len(rows))
        product_ids += block.product_ids(rows.tolist())
        owner = becomes[block.owners]
        images.append(block.images[owner >= 0])
        owners.append(owner[owner >= 0])
        for name, column in block.columns.items():
            builders.setdefault(name, ColumnBuilder()).merge(column, becomes)
    all_images = np.concatenate(images)
    order = np.argsort(all_images)
    return _block(product_ids, all_images[order], np.concatenate(owners)[order], builders)


def _shapes(
    rows: list[int], chunk: list[Attributes]
) -> Iterator[tuple[tuple[str, ...], Codes, list[tuple[AttributeValue, ...]]]]:
    """Products of the same attributes together: names, rows and values.

    So the work goes with the number of values, however many attributes there are.
    """
    shapes: dict[tuple[str, ...], tuple[list[int], list[tuple[AttributeValue, ...]]]] = {}
    for row, attributes in zip(rows, chunk, strict=True):
        own, values = shapes.setdefault(tuple(attributes), ([], []))
        own.append(row)
        values.append(tuple(attributes.values()))
    for names, (own, values) in shapes.items():
        yield names, np.array(own, np.int32), values


def _block(
    product_ids: list[str], images: Ids, owners: Rows, builders: dict[str, ColumnBuilder]
) -> Block:
    encoded = [product_id.encode() for product_id in product_ids]
    ends = np.zeros(len(encoded) + 1, np.int64)
    np.cumsum(list(map(len, encoded)), out=ends[1:])
    hashes = np.fromiter(map(hash, product_ids), np.int64, len(product_ids))
    order = np.argsort(hashes)
    columns = {name: builder.finish(len(product_ids)) for name, builder in builders.items()}
    return Block(b"".join(encoded), ends, hashes[order], order, images, owners, columns)

"""A block of products: their ids, their images, and a column for each attribute."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from indexer.arrays import Ids
from indexer.store import Attributes, AttributeValue
from indexer.store.embedded.attributes.column import (
    Column,
    ColumnBuilder,
    Integers,
    Mask,
    merged,
    nothing,
)
from indexer.store.embedded.attributes.values import Keys

Texts = np.ndarray[Any, Any]  # of dtype StringDType, which stores UTF-8


@dataclass(frozen=True)
class Block:
    """An immutable block of products; product i is row i.

    Args:
        product_ids: (n,).
        alive: (n,) whether the product has been neither changed nor removed since.
        hashes: (n,) hashes of the product ids, ascending.
        order: (n,) row of each hash.
        images: (m,) image ids, ascending.
        owners: (m,) row of each image.
        columns: by attribute.
    """

    product_ids: Texts
    alive: Mask
    hashes: Keys
    order: Integers
    images: Ids
    owners: Ids
    columns: dict[str, Column]

    def __len__(self) -> int:
        return len(self.product_ids)

    def column(self, name: str) -> Column:
        """Returns the column of an attribute; an empty one if no product has it."""
        return self.columns.get(name) or nothing(len(self))

    def find(self, product_ids: Sequence[str]) -> tuple[Ids, Integers]:
        """Returns the positions of the ids that are in the block, and the rows of the products."""
        rows = self.order[np.searchsorted(self.hashes[:-1], _hashes(product_ids))]
        places = np.flatnonzero(self.product_ids[rows] == _texts(product_ids))
        return places, rows[places]

    def owners_of(self, images: Ids) -> tuple[Ids, Ids]:
        """Returns the positions of the images in the block, and the rows of their products."""
        at = np.searchsorted(self.images[:-1], images)
        places = np.flatnonzero(self.images[at] == images)
        return places, self.owners[at[places]]

    @cached_property
    def is_aligned(self) -> bool:
        """Whether product i has one image, number i, and image ids are consecutive."""
        first, n = int(self.images[0]), len(self.images)
        return (
            n == len(self)
            and int(self.images[-1]) - first == n - 1
            and np.array_equal(self.owners, np.arange(n))
        )

    def without(self, product_ids: Sequence[str]) -> "Block":
        """Returns the block with these products marked as changed or removed."""
        alive = self.alive.copy()
        alive[self.find(product_ids)[1]] = False
        return replace(self, alive=alive)


def build(
    product_ids: list[str],
    images: Ids,
    owners: Ids,
    attributes: Iterable[tuple[list[int], list[Attributes]]],
) -> Block:
    """Builds a block of products.

    Args:
        product_ids: of products that have an image.
        images: (m,) image ids, ascending.
        owners: (m,) row of each image.
        attributes: chunks of rows and the attributes of these rows.
    """
    builders: dict[str, ColumnBuilder] = {}
    for rows, chunk in attributes:
        for names, same_shape, values in _shapes(rows, chunk):
            for name, column in zip(names, zip(*values, strict=True), strict=True):
                builders.setdefault(name, ColumnBuilder()).extend(same_shape, column)
    columns = {name: builder.finish(len(product_ids)) for name, builder in builders.items()}
    return _block(product_ids, images, owners, columns)


def merge(blocks: Sequence[Block]) -> Block:
    """Merges the rows of several blocks that are alive."""
    alive = np.concatenate([block.alive for block in blocks])
    becomes = np.where(alive, np.cumsum(alive) - 1, -1)
    parts = np.split(becomes, np.cumsum([len(block) for block in blocks])[:-1])
    product_ids = np.concatenate([block.product_ids for block in blocks])[alive].tolist()
    images = np.concatenate([block.images for block in blocks])
    owners = np.concatenate([part[block.owners] for part, block in zip(parts, blocks, strict=True)])
    order = np.argsort(images)
    order = order[owners[order] >= 0]
    columns = {
        name: merged([block.column(name) for block in blocks], parts, len(product_ids))
        for name in {name for block in blocks for name in block.columns}
    }
    present = {name: column for name, column in columns.items() if len(column.keys)}
    return _block(product_ids, images[order], owners[order], present)


def _block(product_ids: list[str], images: Ids, owners: Ids, columns: dict[str, Column]) -> Block:
    alive, hashes = np.ones(len(product_ids), np.bool_), _hashes(product_ids)
    order = np.argsort(hashes).astype(np.int32)
    return Block(_texts(product_ids), alive, hashes[order], order, images, owners, columns)


def _texts(product_ids: Sequence[str]) -> Texts:
    return np.array(product_ids, np.dtypes.StringDType())


def _hashes(product_ids: Sequence[str]) -> Keys:
    return np.array(list(map(hash, product_ids)), np.int64)


def _shapes(
    rows: list[int], chunk: list[Attributes]
) -> Iterator[tuple[tuple[str, ...], Integers, list[tuple[AttributeValue, ...]]]]:
    """Groups products that have the same attributes: names, rows and values.

    The cost is thus proportional to the number of values, however many attributes there are.
    """
    shapes: dict[tuple[str, ...], tuple[list[int], list[tuple[AttributeValue, ...]]]] = {}
    for row, attributes in zip(rows, chunk, strict=True):
        same_shape, values = shapes.setdefault(tuple(attributes), ([], []))
        same_shape.append(row)
        values.append(tuple(attributes.values()))
    for names, (same_shape, values) in shapes.items():
        yield names, np.array(same_shape, np.int32), values

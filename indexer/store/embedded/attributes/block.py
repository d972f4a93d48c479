"""A block of products: their ids, their images, and a column for each attribute."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from indexer.arrays import Ids
from indexer.store import Attributes, AttributeValue, Product
from indexer.store.embedded.attributes.column import (
    Column,
    ColumnBuilder,
    Integers,
    Mask,
    merged,
    nothing,
)
from indexer.store.embedded.attributes.hashing import Hashing, Keys
from indexer.store.embedded.attributes.texts import Texts


@dataclass(frozen=True)
class Block:
    """An immutable block of products; product i is row i.

    Args:
        product_ids: (n,).
        alive: (n,) whether the product has been neither changed nor removed since.
        hashes: (n,) keys of the product ids, ascending.
        order: (n,) row of each key.
        by_id: (n,) rows in the order of the product ids.
        images: (m,) image ids, ascending.
        owners: (m,) row of each image.
        columns: by attribute.
    """

    product_ids: Texts
    alive: Mask
    hashes: Keys
    order: Integers
    by_id: Integers
    images: Ids
    owners: Ids
    columns: dict[str, Column]

    def __len__(self) -> int:
        return len(self.product_ids)

    def column(self, name: str) -> Column:
        """Returns the column of an attribute; an empty one if no product has it."""
        return self.columns.get(name) or nothing(len(self))

    def find(self, product_ids: Sequence[str], keys: Keys) -> tuple[Ids, Integers]:
        """Returns the positions of the ids that are in the block, and the rows of the products.

        Args:
            product_ids: n ids.
            keys: (n,) of the ids.
        """
        at = np.searchsorted(self.hashes[:-1], keys)
        places = np.flatnonzero(self.hashes[at] == keys)
        rows = self.order[at[places]]
        found = zip(self.product_ids.at(rows), places.tolist(), strict=True)
        same = np.array([text == product_ids[place] for text, place in found], np.bool_)
        return places[same], rows[same]

    def following(self, rows: Mask, after: str, limit: int) -> list[str]:
        """Returns the first `limit` product ids of the rows of a mask that follow `after`."""
        first = bisect_right(self.by_id, after, key=lambda row: self.product_ids.at(row[None])[0])
        chosen = self.by_id[first:]
        return self.product_ids.at(chosen[rows[chosen]][:limit])

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

    def without(self, product_ids: Sequence[str], keys: Keys) -> "Block":
        """Returns the block with these products marked as changed or removed; see `find`."""
        alive = self.alive.copy()
        alive[self.find(product_ids, keys)[1]] = False
        return replace(self, alive=alive)


def build(
    product_ids: list[str],
    images: Ids,
    owners: Ids,
    attributes: Iterable[tuple[list[int], list[Attributes]]],
    hashing: Hashing,
) -> Block:
    """Builds a block of products.

    Args:
        product_ids: of products that have an image.
        images: (m,) image ids, ascending.
        owners: (m,) row of each image.
        attributes: chunks of rows and the attributes of these rows.
        hashing: of the keys.
    """
    builders: dict[str, ColumnBuilder] = {}
    for rows, chunk in attributes:
        for names, same_shape, values in _shapes(rows, chunk):
            for name, column in zip(names, zip(*values, strict=True), strict=True):
                builders.setdefault(name, ColumnBuilder(hashing)).extend(same_shape, column)
    columns = {name: builder.finish(len(product_ids)) for name, builder in builders.items()}
    return _block(product_ids, hashing.of_texts(product_ids), images, owners, columns)


def block_of(products: Sequence[Product], hashing: Hashing) -> Block:
    """Builds a block of products that have an image."""
    pairs = sorted((image.image_id, row) for row, p in enumerate(products) for image in p.images)
    images, rows = np.array(pairs, np.int64).T.copy()
    attributes = list(range(len(products))), [product.attributes for product in products]
    product_ids = [product.product_id for product in products]
    return build(product_ids, images, rows, [attributes], hashing)


def merge(blocks: Sequence[Block]) -> Block:
    """Merges the rows of several blocks that are alive."""
    alive = np.concatenate([block.alive for block in blocks])
    becomes = np.where(alive, np.cumsum(alive) - 1, -1)
    parts = np.split(becomes, np.cumsum([len(block) for block in blocks])[:-1])
    product_ids, keys = [], np.empty(np.count_nonzero(alive), np.int64)
    for part, block in zip(parts, blocks, strict=True):
        product_ids += block.product_ids.at(np.flatnonzero(block.alive))
        rows = part[block.order]
        keys[rows[rows >= 0]] = block.hashes[rows >= 0]
    images = np.concatenate([block.images for block in blocks])
    owners = np.concatenate([part[block.owners] for part, block in zip(parts, blocks, strict=True)])
    order = np.argsort(images)
    order = order[owners[order] >= 0]
    columns = {
        name: merged([block.column(name) for block in blocks], parts, len(product_ids))
        for name in {name for block in blocks for name in block.columns}
    }
    present = {name: column for name, column in columns.items() if len(column.keys)}
    return _block(product_ids, keys, images[order], owners[order], present)


def _block(
    product_ids: list[str], keys: Keys, images: Ids, owners: Ids, columns: dict[str, Column]
) -> Block:
    alive, order = np.ones(len(product_ids), np.bool_), np.argsort(keys).astype(np.int32)
    by_id = np.array(sorted(range(len(product_ids)), key=product_ids.__getitem__), np.int32)
    texts = Texts.of(product_ids)
    return Block(texts, alive, keys[order], order, by_id, images, owners, columns)


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

"""Compares two tables of the same products."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from indexer.store.embedded.attributes.block import Block
from indexer.store.embedded.attributes.column import Column, Integers
from indexer.store.embedded.attributes.hashing import Hashing
from indexer.store.embedded.attributes.table import Table


def differences(found: Table, expected: Table) -> Iterator[str]:
    """Yields what differs between two tables with the same hashing, in any order of rows."""
    if len(found) != len(expected):
        yield f"{len(found)} products, expected {len(expected)}"
        return
    for one in found.merged().blocks:
        for other in expected.merged().blocks:
            yield from _differences(one, other, found.hashing)


def _differences(one: Block, other: Block, hashing: Hashing) -> Iterator[str]:
    if one.product_ids.at(one.order) != other.product_ids.at(other.order):
        yield "product ids"
        return
    ranks = _ranks(one), _ranks(other)
    same = np.array_equal(one.images, other.images)
    if not (same and np.array_equal(ranks[0][one.owners], ranks[1][other.owners])):
        yield "images"
    for name in sorted({*one.columns, *other.columns}):
        columns = one.column(name), other.column(name)
        labelled = all(column.labels is not None for column in columns)
        first, second = (
            _entries(column, rank, hashing if labelled else None)
            for column, rank in zip(columns, ranks, strict=True)
        )
        if not np.array_equal(first, second):
            yield f"attribute {name!r}"


def _ranks(block: Block) -> Integers:
    """Returns the rank of each row by the key of its product id."""
    ranks = np.empty_like(block.order)
    ranks[block.order] = np.arange(len(block), dtype=ranks.dtype)
    return ranks


def _entries(column: Column, ranks: Integers, hashing: Hashing | None) -> NDArray[np.int64]:
    """Returns rank, key and number of each entry, and its label if there is a hashing; sorted."""
    rows, codes = column.entries()
    numbers = np.where(np.isnan(column.numbers), np.nan, column.numbers + 0.0).view(np.int64)
    parts = [ranks[rows], column.keys[codes], numbers[codes]]
    if hashing and column.labels is not None:
        parts.append(hashing.of_texts(map(repr, column.labels))[codes])
    stacked = np.array(parts, np.int64)
    return stacked[:, np.lexsort(stacked)]

"""Exact nearest neighbours of many vectors among many, by blocks of inner products."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexer.arrays import Ids, Vectors

_BLOCK_CELLS = 2**25  # inner products in memory at a time: 128 MiB
# The k best of a row are in the k columns with the best maxima of the row folded so many times.
# Finding maxima is many times faster than partitioning.
_FOLDS = 32


@dataclass(frozen=True)
class Nearest:
    """The nearest rows of each query, by falling inner product; the lower number if equal.

    Attributes:
        rows: (q, k).
        scores: (q, k).
        complete: whether these are all rows.
    """

    rows: NDArray[np.int32]
    scores: NDArray[np.float32]
    complete: bool


def nearest(
    queries: Vectors, vectors: Vectors, k: int, progress: Callable[[int], None] = lambda _: None
) -> Nearest:
    """Compares each query with each vector.

    Args:
        queries: (q, dimension).
        vectors: (n, dimension).
        k: neighbours of each query, or n if that is less.
        progress: called with a number of queries that are done.
    """
    total = len(vectors)
    k = min(k, total)
    width = max(1, k, -(-total // _FOLDS))
    folds = -(-total // width)
    step = max(1, _BLOCK_CELLS // (folds * width or 1))
    products = np.full((min(step, len(queries)), folds * width), -np.inf, np.float32)
    rows = np.empty((len(queries), k), np.int32)
    scores = np.empty((len(queries), k), np.float32)
    for start in range(0, len(queries) if k else 0, step):
        block = queries[start : start + step]
        found = products[: len(block)]
        np.matmul(block, vectors.T, out=found[:, :total])
        at = _best(found, folds, k)
        rows[start : start + step] = at
        scores[start : start + step] = np.take_along_axis(found, at, axis=1)
        progress(len(block))
    return Nearest(rows, scores, k == total)


def _best(products: NDArray[np.float32], folds: int, k: int) -> Ids:
    """Returns the columns of the k highest values of each row, by falling value."""
    width = products.shape[1] // folds
    highest = products.reshape(len(products), folds, width).max(axis=1)
    folded = np.argpartition(highest, width - k, axis=1)[:, width - k :]
    columns = (folded[:, None, :] + np.arange(folds)[:, None] * width).reshape(len(products), -1)
    values = np.take_along_axis(products, columns, axis=1)
    best = np.argpartition(values, values.shape[1] - k, axis=1)[:, values.shape[1] - k :]
    columns, values = (np.take_along_axis(each, best, axis=1) for each in (columns, values))
    order = np.lexsort((columns, -values), axis=1)
    return np.asarray(np.take_along_axis(columns, order, axis=1))

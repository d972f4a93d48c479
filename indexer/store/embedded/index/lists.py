"""The inverted lists of an IVF index: which of them a search visits."""

from copy import copy
from math import isqrt
from typing import Any, Self

import faiss
import numpy as np
from numpy.typing import NDArray

from indexer.arrays import Ids, Vectors
from indexer.store.embedded.index.base import Mask
from indexer.store.embedded.index.knn import inner_products

# Lists are visited until so many allowed rows are compared: times the square root of the number of
# rows, as 32 lists contain if there are as many lists as that, and at least,
_COMPARED_PER_ROOT = 32
_MIN_COMPARED = 10_000
# but not more lists than this, unless a page needs them: it is chosen from so many rows per result.
_MAX_VISITED = 128
_COMPARED_PER_RESULT = 10
# Of more allowed rows than this, only every second, third, ... is counted.
_MAX_COUNTED = 20_000


class Lists:
    """The lists of an IVF index, with the number of allowed rows in each.

    Args:
        index: `faiss.IndexIVF` with a direct map; only read.
    """

    def __init__(self, index: Any) -> None:
        self._centroids: Vectors = index.quantizer.reconstruct_n(0, index.nlist)
        # FAISS packs the list of a row and its offset there into one integer.
        self._of_row: Ids = faiss.vector_to_array(index.direct_map.array) >> 32
        self._rows = self._count(self._of_row)

    def __len__(self) -> int:
        return len(self._centroids)

    def only(self, rows: Mask, allowed: int) -> Self:
        """Returns the lists restricted to the rows (n,) of a mask, of which `allowed` are set.

        If these are many, the numbers are estimates from a sample.
        """
        step = 1 + allowed // _MAX_COUNTED
        restricted = copy(self)
        # Four times as fast as indexing with the mask itself.
        lists = self._of_row[::step][np.flatnonzero(rows[::step])]
        restricted._rows = step * self._count(lists)  # noqa: SLF001 - same class
        return restricted

    def nearest(
        self, queries: Vectors, k: int, *, everywhere: bool = False
    ) -> tuple[Ids, NDArray[np.float32]]:
        """Returns the lists to visit for k results, and the inner products of their centroids.

        Lists that contain allowed rows come first, however far they are, so that the cost hardly
        depends on the filter, and pages are full.

        Args:
            queries: (m, dimension).
            k: number of results.
            everywhere: return all lists.

        Returns:
            Numbers (m, v) and inner products (m, v), nearest first.
        """
        products = inner_products(queries, self._centroids)
        order = np.argsort(-products, axis=1)
        if not self._rows.all():  # lists without allowed rows last
            order = np.take_along_axis(order, np.argsort(self._rows[order] == 0, kind="stable"), 1)
        visited = len(self) if everywhere else self._to_visit(order, k)
        order = np.ascontiguousarray(order[:, :visited])
        return order, np.take_along_axis(products, order, axis=1)

    def _to_visit(self, order: Ids, k: int) -> int:
        found = np.cumsum(self._rows[order], axis=1)
        enough = max(_COMPARED_PER_ROOT * isqrt(len(self._of_row)), _MIN_COMPARED)
        least = min(_COMPARED_PER_RESULT * k, int(self._rows.sum()))
        visited = min(_MAX_VISITED, 1 + int((found < enough).sum(axis=1).max()))
        return min(len(self), max(visited, 1 + int((found < least).sum(axis=1).max())))

    def _count(self, lists: Ids) -> Ids:
        counts: Ids = np.bincount(lists, minlength=len(self))
        return counts

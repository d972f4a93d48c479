"""`VectorIndex` on FAISS, exact or with inverted lists (IVF)."""

from copy import copy
from typing import Any, Self

import faiss
import numpy as np

from indexer.arrays import Ids, Vectors
from indexer.store.embedded.index.base import Mask

# Rows compared with a query in an IVF index: a share of all rows, but at least a minimum, because
# small catalogues would lose recall for an unnoticeable gain in time.
_COMPARED_SHARE = 1 / 32
_MIN_COMPARED = 5_000
_COMPARED_PER_RESULT = 10
# Candidates per result if quantised vectors are compared first.
_OVERSAMPLING = 4


class FaissIndex:
    """A FAISS index whose row i is the image ids[i].

    Ids are ascending, so that a binary search replaces a map from ids to rows.

    Args:
        ids: (n,) ascending.
        index: from `faiss.index_factory`, of a type that `segment` builds; only read.
    """

    def __init__(self, ids: Ids, index: Any) -> None:
        if (np.diff(ids) <= 0).any():
            raise ValueError("ids must be strictly ascending")
        self._ids = ids
        self._owner = index  # keeps the two below alive
        self._searched, self._exact = searched_and_exact(index)
        self._allowed_rows = len(ids)
        self._bits: Any = None  # bitmap of the allowed rows; None allows all
        self._list_of_row: Ids | None = None
        if isinstance(self._searched, faiss.IndexIVF):
            # FAISS packs the list of a row and its offset there into one integer.
            self._list_of_row = faiss.vector_to_array(self._searched.direct_map.array) >> 32
            self._rows_per_list = self._count(self._list_of_row)

    @classmethod
    def flat(cls, ids: Ids, vectors: Vectors) -> Self:
        """Creates an exact index in memory of vectors (n, dimension)."""
        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(np.ascontiguousarray(vectors))
        return cls(ids, index)

    @property
    def ids(self) -> Ids:
        return self._ids

    def only(self, allowed: Mask) -> Self:
        rows = np.zeros(len(self._ids), np.bool_)
        known = int(np.searchsorted(self._ids, len(allowed)))
        rows[:known] = allowed[self._ids[:known]]
        restricted = copy(self)
        restricted._restrict(rows)  # noqa: SLF001 - same class
        return restricted

    def _restrict(self, rows: Mask) -> None:
        self._allowed_rows = int(np.count_nonzero(rows))
        self._bits = np.packbits(rows, bitorder="little")
        if self._list_of_row is not None:
            # Four times as fast as indexing with the mask itself.
            self._rows_per_list = self._count(self._list_of_row[np.flatnonzero(rows)])

    def candidates(self, queries: Vectors, k: int) -> Ids:
        oversampling = 1 if self._searched is self._exact else _OVERSAMPLING
        k = min(self._allowed_rows, k * oversampling)
        if k == 0:
            return self._ids[:0]
        queries = np.ascontiguousarray(queries)
        # Parameters and selector are created for each call: FAISS modifies them while searching.
        selector = None if self._bits is None else faiss.IDSelectorBitmap(self._bits)
        if self._list_of_row is None:
            parameters = faiss.SearchParameters(sel=selector)
        else:
            lists = self._lists_to_visit(queries, k)
            parameters = faiss.SearchParametersIVF(sel=selector, nprobe=lists)
        _, found = self._searched.search(queries, k, params=parameters)
        rows = np.unique(found)
        ids: Ids = self._ids[rows[rows >= 0]]  # FAISS pads with -1
        return ids

    def vectors(self, ids: Ids) -> Vectors:
        found: Vectors = self._exact.reconstruct_batch(np.searchsorted(self._ids, ids))
        return found

    def _lists_to_visit(self, queries: Vectors, k: int) -> int:
        """Returns how many of the nearest lists contain enough allowed rows for each query.

        Pages are therefore full after one pass, however few rows are allowed and wherever they
        are, and the number of comparisons hardly depends on the filter.
        """
        share = int(_COMPARED_SHARE * len(self._ids))
        needed = max(share, _MIN_COMPARED, _COMPARED_PER_RESULT * k)
        _, nearest = self._searched.quantizer.search(queries, self._searched.nlist)
        compared = np.cumsum(self._rows_per_list[nearest], axis=1)
        return 1 + int((compared < min(needed, self._allowed_rows)).sum(axis=1).max())

    def _count(self, lists: Ids) -> Ids:
        counts: Ids = np.bincount(lists, minlength=self._searched.nlist)
        return counts


def searched_and_exact(index: Any) -> tuple[Any, Any]:
    """Returns the index that finds candidates, and the one that holds the exact vectors."""
    if isinstance(index, faiss.IndexRefine):
        return faiss.downcast_index(index.base_index), faiss.downcast_index(index.refine_index)
    return index, index

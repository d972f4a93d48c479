"""`VectorIndex` on FAISS: exact, or sorted into lists of which the nearest are searched."""

from copy import copy
from typing import Any, Self

import faiss
import numpy as np

from indexer.arrays import Ids, Vectors
from indexer.store.embedded.index.base import Mask

# How many rows are compared with a query where they are sorted into lists: a share of all, and
# so many in any case, so that small catalogues do not pay in recall for time that no one notices.
_COMPARED_SHARE = 1 / 32
_COMPARED_AT_LEAST = 5_000
_COMPARED_PER_RESULT = 10
# Candidates per result wanted where rounded vectors are compared first.
_OVERSAMPLING = 4


class FaissIndex:
    """Row i of a FAISS index is the image ids[i]. As ids rise, no map from ids to rows is needed.

    Args:
        ids: (n,) ascending.
        index: made by `faiss.index_factory` of a kind that `segment` builds; only read.
    """

    def __init__(self, ids: Ids, index: Any) -> None:
        if (np.diff(ids) <= 0).any():
            raise ValueError("ids must rise")
        self._ids = ids
        self._owner = index  # of the two below, which die with it
        self._searched, self._exact = searched_and_exact(index)
        self._found_at_most = len(ids)
        self._bits: Any = None  # of the rows that may be found; None allows all
        self._list_of_row: Ids | None = None
        if isinstance(self._searched, faiss.IndexIVF):
            # FAISS packs the list of a row and its place there into one integer.
            self._list_of_row = faiss.vector_to_array(self._searched.direct_map.array) >> 32
            self._rows_per_list = self._count(self._list_of_row)

    @classmethod
    def flat(cls, ids: Ids, vectors: Vectors) -> Self:
        """An exact index in memory; vectors are (n, dimension)."""
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
        restricted._restrict(rows)  # noqa: SLF001 - of this class
        return restricted

    def _restrict(self, rows: Mask) -> None:
        self._found_at_most = int(np.count_nonzero(rows))
        self._bits = np.packbits(rows, bitorder="little")
        if self._list_of_row is not None:
            # Four times as fast as indexing with the mask itself.
            self._rows_per_list = self._count(self._list_of_row[np.flatnonzero(rows)])

    def candidates(self, queries: Vectors, k: int) -> Ids:
        oversampling = 1 if self._searched is self._exact else _OVERSAMPLING
        k = min(self._found_at_most, k * oversampling)
        if k == 0:
            return self._ids[:0]
        queries = np.ascontiguousarray(queries)
        # Parameters and selector are made for each call: FAISS edits them while it searches.
        selector = None if self._bits is None else faiss.IDSelectorBitmap(self._bits)
        if self._list_of_row is None:
            parameters = faiss.SearchParameters(sel=selector)
        else:
            lists = self._lists_to_visit(queries, k)
            parameters = faiss.SearchParametersIVF(sel=selector, nprobe=lists)
        _, found = self._searched.search(queries, k, params=parameters)
        rows = np.unique(found)
        ids: Ids = self._ids[rows[rows >= 0]]  # FAISS fills up with -1
        return ids

    def vectors(self, ids: Ids) -> Vectors:
        found: Vectors = self._exact.reconstruct_batch(np.searchsorted(self._ids, ids))
        return found

    def _lists_to_visit(self, queries: Vectors, k: int) -> int:
        """So many that enough rows that may be found are in the lists nearest to any query.

        So pages are full however few rows are allowed and wherever they are, after one pass,
        and the number of comparisons hardly depends on the filter.
        """
        share = int(_COMPARED_SHARE * len(self._ids))
        enough = max(share, _COMPARED_AT_LEAST, _COMPARED_PER_RESULT * k)
        _, nearest = self._searched.quantizer.search(queries, self._searched.nlist)
        compared = np.cumsum(self._rows_per_list[nearest], axis=1)
        return 1 + int((compared < min(enough, self._found_at_most)).sum(axis=1).max())

    def _count(self, lists: Ids) -> Ids:
        counts: Ids = np.bincount(lists, minlength=self._searched.nlist)
        return counts


def searched_and_exact(index: Any) -> tuple[Any, Any]:
    """The index that finds candidates, and the one that holds the vectors as they are."""
    if isinstance(index, faiss.IndexRefine):
        return faiss.downcast_index(index.base_index), faiss.downcast_index(index.refine_index)
    return index, index

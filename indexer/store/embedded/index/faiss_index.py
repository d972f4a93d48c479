"""`VectorIndex` on FAISS: exact, or approximate by inverted lists and codes of the vectors."""

from copy import copy
from math import sqrt
from typing import Any, Self

import faiss
import numpy as np
from numpy.typing import NDArray

from indexer.arrays import Ids, Vectors
from indexer.store.embedded.index.base import Mask
from indexer.store.embedded.index.knn import inner_products, nearest_rows
from indexer.store.embedded.index.lists import Lists
from indexer.store.embedded.index.stored_vectors import StoredVectors

# At most this number of allowed rows is compared with each query, without visiting lists.
_MAX_FEW = 2_000
# Further candidates if codes are compared instead of vectors: per result; and this share of the
# square root of the number of rows, because more rows are nearly as close; but at most.
_OVERSAMPLING = 3
_OVERSAMPLED_SHARE = 1 / 3
_MAX_OVERSAMPLED = 3_000


class FaissIndex:
    """A FAISS index whose row i is the image ids[i].

    Ids are ascending, so that a binary search replaces a map from ids to rows.

    Args:
        ids: (n,) ascending.
        index: from `faiss.index_factory`, of a type that `segment` builds; only read.
        vectors: those of the rows, if the index contains only codes of them.
    """

    def __init__(self, ids: Ids, index: Any, vectors: StoredVectors | None = None) -> None:
        if (np.diff(ids) <= 0).any():
            raise ValueError("ids must be strictly ascending")
        self._ids = ids
        self._owner = index  # keeps its parts alive
        self._rotation, self._searched, exact = parts(index)
        self._coded = vectors is not None or self._searched is not exact
        self._vectors = exact.reconstruct_batch if vectors is None else vectors.rows
        self._stored = vectors
        self._lists = Lists(self._searched) if isinstance(self._searched, faiss.IndexIVF) else None
        self._allowed = len(ids)  # number of allowed rows
        self._bits: Any = None  # bitmap of the allowed rows; None allows all
        self._few: Ids | None = None  # the allowed rows if they are few

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
        rows = self._rows_of(allowed)
        restricted = copy(self)
        restricted._restrict(rows)  # noqa: SLF001 - same class
        return restricted

    def _rows_of(self, allowed: Mask) -> Mask:
        """Converts a mask of images to one of rows."""
        rows = np.zeros(len(self._ids), np.bool_)
        known = int(np.searchsorted(self._ids, len(allowed)))
        ids = self._ids[:known]
        if known and ids[-1] - ids[0] == known - 1:  # without gaps: ten times as fast
            rows[:known] = allowed[ids[0] : ids[-1] + 1]
        else:
            rows[:known] = allowed[ids]
        return rows

    def _restrict(self, rows: Mask) -> None:
        self._allowed = int(np.count_nonzero(rows))
        if self._lists is not None and self._allowed <= _MAX_FEW:
            self._few = np.flatnonzero(rows)
            return
        self._bits = np.packbits(rows, bitorder="little")
        if self._lists is not None:
            self._lists = self._lists.only(rows, self._allowed)

    def candidates(self, queries: Vectors, k: int) -> Ids:
        k = min(self._allowed, k)
        if k == 0:
            return self._ids[:0]
        queries = np.ascontiguousarray(queries)
        rows = np.unique(self._search(queries, k)) if self._few is None else self._few
        rows = rows[np.searchsorted(rows, 0) :]  # FAISS pads with -1
        if len(rows) >= 2 * k:
            best, _ = nearest_rows(queries, self._vectors(rows), k)
            rows = rows[np.unique(best)]
        ids: Ids = self._ids[rows]
        return ids

    def vectors(self, ids: Ids) -> Vectors:
        found: Vectors = self._vectors(np.searchsorted(self._ids, ids))
        return found

    def verify(self) -> None:
        """Verifies the vectors that were not verified when the index was opened.

        Raises:
            SegmentError: some are damaged.
        """
        if self._stored is not None:
            self._stored.verify()

    def _search(self, queries: Vectors, k: int) -> Ids:
        """Returns the rows that FAISS finds, (m, k or more)."""
        candidates = k
        if self._coded:
            further = max(_OVERSAMPLING * k, int(_OVERSAMPLED_SHARE * sqrt(len(self._ids))))
            candidates = min(self._allowed, k + min(further, _MAX_OVERSAMPLED))
        if self._rotation is not None:
            queries = inner_products(queries, self._rotation)
        if self._lists is None:
            parameters = faiss.SearchParameters(sel=self._selector())
            found: Ids = self._searched.search(queries, candidates, params=parameters)[1]
            return found
        found = self._in_lists(queries, candidates, *self._lists.nearest(queries, k))
        if (found[:, k - 1] < 0).any():  # the numbers of rows in lists may be estimates
            lists = self._lists.nearest(queries, k, everywhere=True)
            found = self._in_lists(queries, candidates, *lists)
        return found

    def _in_lists(self, queries: Vectors, k: int, lists: Ids, products: NDArray[np.float32]) -> Ids:
        """Returns the k best rows (m, k) in the lists (m, v), whose centroids have `products`."""
        count, visited = lists.shape
        found, scores = np.empty((count, k), np.int64), np.empty((count, k), np.float32)
        parameters = faiss.SearchParametersIVF(sel=self._selector(), nprobe=visited)
        arrays = (lists, products, scores, found)
        self._searched.search_preassigned_c(
            count, faiss.swig_ptr(queries), k, *map(faiss.swig_ptr, arrays), False, parameters
        )
        return found

    def _selector(self) -> Any:
        # Created for each search, like parameters: FAISS modifies them while searching.
        return None if self._bits is None else faiss.IDSelectorBitmap(self._bits)


def parts(index: Any) -> tuple[Vectors | None, Any, Any]:
    """Returns the parts of an index from `faiss.index_factory`.

    Returns:
        The matrix (dimension, dimension) that rotates vectors before they are searched, or None if
        they are not rotated or it is not trained; the index that finds candidates; the index that
        holds the exact vectors.
    """
    searched = exact = index
    if isinstance(index, faiss.IndexRefine):
        exact = faiss.downcast_index(index.refine_index)
        searched = faiss.downcast_index(index.base_index)
    if not isinstance(searched, faiss.IndexPreTransform):
        return None, searched, exact
    rotation = faiss.vector_to_array(faiss.downcast_VectorTransform(searched.chain.at(0)).A)
    matrix = rotation.reshape(index.d, -1) if len(rotation) else None
    return matrix, faiss.downcast_index(searched.index), exact

"""`VectorIndex` on FAISS."""

import faiss
import numpy as np

from indexer.arrays import Ids, Vectors
from indexer.index.base import Mask


class FaissIndex:
    """Exact inner products: `IndexIDMap2` over `IndexFlatIP`.

    Args:
        ids: (n,) ascending; FAISS would accept a repeat and break its map.
        vectors: (n, dimension).
    """

    def __init__(self, ids: Ids, vectors: Vectors) -> None:
        if (np.diff(ids) <= 0).any():
            raise ValueError("ids must rise")
        self._index = faiss.IndexIDMap2(faiss.IndexFlatIP(vectors.shape[1]))
        self._index.add_with_ids(np.ascontiguousarray(vectors), ids)
        self._ids = ids

    @property
    def ids(self) -> Ids:
        return self._ids

    def candidates(self, queries: Vectors, k: int, allowed: Mask | None) -> Ids:
        # Parameters and selector are made for each call: FAISS edits them while it searches.
        parameters = None
        if allowed is not None:
            bits = np.packbits(allowed, bitorder="little")
            parameters = faiss.SearchParameters(sel=faiss.IDSelectorBitmap(bits))
        k = min(k, len(self._ids))
        _, found = self._index.search(np.ascontiguousarray(queries), k, params=parameters)
        unique: Ids = np.unique(found)
        return unique[unique >= 0]  # FAISS fills up with -1

    def vectors(self, ids: Ids) -> Vectors:
        found: Vectors = self._index.reconstruct_batch(ids)
        return found

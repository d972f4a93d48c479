"""The part of the index that a search reads; immutable, so that searching takes no lock."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from indexer.arrays import Ids, Scores, Vectors
from indexer.store.embedded.index.base import Hits, Mask, VectorIndex
from indexer.store.embedded.index.faiss_index import FaissIndex
from indexer.store.embedded.memo import Memo

# A part is merged into the older one before it once it reaches this fraction of its size. A view
# thus has few parts, and each row is copied a logarithmic number of times.
_MERGE_FRACTION = 0.25
# Extra candidates that are scored exactly, so that float32 rounding does not change the results.
_MARGIN = 16
_DECIMALS = 12
_NONE: Ids = np.empty(0, np.int64)


@dataclass(frozen=True)
class Images:
    """Indexes that are searched together."""

    indexes: tuple[VectorIndex, ...]

    def search(self, queries: Vectors, k: int) -> Hits:
        """Returns the k best images by their highest cosine to any of the queries.

        Args:
            queries: (m, dimension), rows of length 1.
            k: number of images; fewer are returned only if there are fewer.
        """
        found, scores = [_NONE], [np.empty(0, np.float64)]
        for index in self.indexes:
            ids = index.candidates(queries, k + _MARGIN)
            found.append(ids)
            scores.append(cosines(queries, index.vectors(ids)))
        ids, score = np.concatenate(found), np.concatenate(scores)
        best = np.lexsort((ids, -score))[:k]
        return Hits(ids[best], score[best])


@dataclass(frozen=True)
class View:
    """The images of a catalogue as of one `seq`.

    Args:
        generation: of the embeddings; vectors of different generations are never compared.
        seq: of the journal.
        base: the segment.
        parts: non-empty indexes in memory of images added since, with ascending ids, older and
            larger ones first.
        gone: ids (n,) ascending that are in `base` or `parts` but no longer in the catalogue.
        memo: what searches of this view computed; it does not refer to the view.
    """

    generation: int = 0
    seq: int = 0
    base: VectorIndex | None = None
    parts: tuple[VectorIndex, ...] = ()
    gone: Ids = field(default_factory=lambda: _NONE)
    memo: Memo = field(default_factory=Memo, init=False, compare=False, repr=False)

    @property
    def version(self) -> tuple[int, int]:
        """Generation and `seq`; later views compare greater."""
        return self.generation, self.seq

    def __len__(self) -> int:
        return sum(len(index.ids) for index in self._indexes) - len(self.gone)

    def sizes(self) -> dict[str, int]:
        """Returns the numbers of images in the segment, added since, and removed since."""
        return {
            "segment": 0 if self.base is None else len(self.base.ids),
            "added": sum(len(part.ids) for part in self.parts),
            "gone": len(self.gone),
        }

    def search(self, queries: Vectors, k: int, allowed: Mask | None = None) -> Hits:
        """Returns the k best images by their highest cosine to any of the queries.

        Args:
            queries: (m, dimension), rows of length 1.
            k: number of images; fewer are returned only if fewer are allowed.
            allowed: mask of the images to search; None allows all.
        """
        images = self._present if allowed is None else self.only(allowed)
        return images.search(queries, k)

    def only(self, allowed: Mask) -> Images:
        """Returns the images of a mask, for several searches."""
        return self._among(allowed.copy())

    def vectors(self, ids: Ids) -> Vectors:
        """Returns the exact vectors of images of this view, (n, dimension), in this order."""
        found: list[tuple[Ids, Vectors]] = []
        for index in self._indexes:
            at = np.minimum(np.searchsorted(index.ids, ids), len(index.ids) - 1)
            here = np.flatnonzero(index.ids[at] == ids)
            if len(here):
                found.append((here, index.vectors(ids[here])))
        order = np.argsort(np.concatenate([here for here, _ in found]))
        vectors: Vectors = np.concatenate([vectors for _, vectors in found])[order]
        return vectors

    def sample(self, size: int) -> Vectors:
        """Returns the vectors (n, dimension) of about `size` images, evenly spread over the ids."""
        total = sum(len(index.ids) for index in self._indexes)
        found: list[Vectors] = [np.empty((0, 0), np.float32)]
        for index in self._indexes:
            ids = index.ids[:: max(1, total // size)]
            found.append(index.vectors(ids[~np.isin(ids, self.gone)]))
        return np.concatenate(found[1:] or found)

    def advanced(self, seq: int, ids: Ids, vectors: Vectors, removed: Ids = _NONE) -> "View":
        """Returns the view as of a later `seq`, at a cost proportional to the changes.

        Args:
            seq: of the new view.
            ids: (n,) ids of the added images.
            vectors: (n, dimension) of the added images.
            removed: ids of the removed images.
        """
        gone = np.union1d(self.gone, removed)
        parts = [*self.parts, FaissIndex.flat(ids, vectors)] if len(ids) else list(self.parts)
        while len(parts) > 1 and len(parts[-1].ids) >= _MERGE_FRACTION * len(parts[-2].ids):
            newer, older = parts.pop(), parts.pop()
            merged, gone = _merge([older, newer], gone)
            parts += [merged] if len(merged.ids) else []
        return View(self.generation, seq, self.base, tuple(parts), gone)

    @property
    def _indexes(self) -> tuple[VectorIndex, ...]:
        return self.parts if self.base is None else (self.base, *self.parts)

    @cached_property
    def _present(self) -> Images:
        """The images that were not removed."""
        if not len(self.gone):
            return Images(self._indexes)
        return self._among(np.ones(1 + int(self._indexes[-1].ids[-1]), np.bool_))

    def _among(self, mask: Mask) -> Images:
        mask[self.gone[self.gone < len(mask)]] = False
        return Images(tuple(index.only(mask) for index in self._indexes))


def _merge(parts: Sequence[VectorIndex], gone: Ids) -> tuple[FaissIndex, Ids]:
    """Merges parts, dropping removed images; returns the part, and the removed ids of others."""
    kept = [np.setdiff1d(part.ids, gone) for part in parts]
    vectors = [part.vectors(ids) for part, ids in zip(parts, kept, strict=True)]
    merged = FaissIndex.flat(np.concatenate(kept), np.concatenate(vectors))
    return merged, np.setdiff1d(gone, np.concatenate([part.ids for part in parts]))


def cosines(queries: Vectors, vectors: Vectors) -> Scores:
    """Returns the highest cosine of each vector to any query, float64 (n,), to twelve decimals.

    Rounding gives a vector the score 1 with itself, and gives equal vectors equal scores, so that
    they keep the order of their ids on every page. The last bits of a matrix product depend on
    the size of the matrix; those of einsum do not.
    """
    wide, wide_queries = vectors.astype(np.float64), queries.astype(np.float64)
    lengths = np.sqrt(np.einsum("nd,nd->n", wide, wide))
    query_lengths = np.sqrt(np.einsum("md,md->m", wide_queries, wide_queries))
    products = np.einsum("nd,md->nm", wide, wide_queries)
    products /= lengths[:, None] * query_lengths
    scores: Scores = products.max(axis=1)
    return scores.round(_DECIMALS).clip(-1.0, 1.0)

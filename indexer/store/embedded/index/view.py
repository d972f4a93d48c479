"""What one search reads: immutable, so that searching takes no lock."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from indexer.arrays import Ids, Scores, Vectors
from indexer.store.embedded.index.base import Hits, Mask, VectorIndex
from indexer.store.embedded.index.faiss_index import FaissIndex

# A part is merged into its elder once it is this fraction of it. So a view has few parts, and
# a row is copied a number of times that grows with the logarithm of the rows added.
_MERGE_FRACTION = 0.25
# Inner products in float32 are off by less; so many more candidates than asked for are
# compared again exactly, so that rounding does not decide who is on the page.
_MARGIN = 16
_DECIMALS = 12
_NONE: Ids = np.empty(0, np.int64)


@dataclass(frozen=True)
class View:
    """The images of a catalogue as of one `seq`.

    Args:
        generation: of the catalogue's embeddings; those of two never meet.
        seq: the journal's.
        base: a segment, which stays as it is.
        parts: indexes in memory of what came since; not empty, of rising ids, elder and
            larger ones first.
        gone: ids (n,) ascending that are in `base` or `parts` and no longer in the catalogue.
    """

    generation: int = 0
    seq: int = 0
    base: VectorIndex | None = None
    parts: tuple[VectorIndex, ...] = ()
    gone: Ids = field(default_factory=lambda: _NONE)

    @property
    def version(self) -> tuple[int, int]:
        """Later views are greater."""
        return self.generation, self.seq

    def __len__(self) -> int:
        return sum(len(index.ids) for index in self._indexes) - len(self.gone)

    def sizes(self) -> dict[str, int]:
        """Images in the segment, added since, and gone since."""
        return {
            "segment": 0 if self.base is None else len(self.base.ids),
            "added": sum(len(part.ids) for part in self.parts),
            "gone": len(self.gone),
        }

    def search(self, queries: Vectors, k: int, allowed: Mask | None = None) -> Hits:
        """The k best images, each by its best cosine to any of the queries.

        Args:
            queries: (m, dimension), rows of length 1.
            k: at most so many; fewer only where no more are allowed.
            allowed: which images may be found; None allows all.
        """
        found, scores = [_NONE], [np.empty(0, np.float64)]
        for index in self._present if allowed is None else self._among(allowed.copy()):
            ids = index.candidates(queries, k + _MARGIN)
            found.append(ids)
            scores.append(_cosines(queries, index.vectors(ids)))
        ids, score = np.concatenate(found), np.concatenate(scores)
        best = np.lexsort((ids, -score))[:k]
        return Hits(ids[best], score[best])

    def vectors(self, ids: Ids) -> Vectors:
        """The vectors of images of this view, (n, dimension), exactly, in that order."""
        found: list[tuple[Ids, Vectors]] = []
        for index in self._indexes:
            at = np.minimum(np.searchsorted(index.ids, ids), len(index.ids) - 1)
            here = np.flatnonzero(index.ids[at] == ids)
            if len(here):
                found.append((here, index.vectors(ids[here])))
        order = np.argsort(np.concatenate([here for here, _ in found]))
        vectors: Vectors = np.concatenate([vectors for _, vectors in found])[order]
        return vectors

    def sample(self, most: int) -> Vectors:
        """The vectors (n, dimension) of about `most` images, or of all, spread over the ids."""
        total = sum(len(index.ids) for index in self._indexes)
        found: list[Vectors] = [np.empty((0, 0), np.float32)]
        for index in self._indexes:
            ids = index.ids[:: max(1, total // most)]
            found.append(index.vectors(ids[~np.isin(ids, self.gone)]))
        return np.concatenate(found[1:] or found)

    def advanced(self, seq: int, ids: Ids, vectors: Vectors, removed: Ids = _NONE) -> "View":
        """The view as of a later `seq`, at a cost that goes with the change.

        Args:
            ids: (n,) of the images that came, vectors (n, dimension).
            removed: (n,) of the images of this view that went.
        """
        gone = np.union1d(self.gone, removed)
        parts = [*self.parts, FaissIndex.flat(ids, vectors)] if len(ids) else list(self.parts)
        while len(parts) > 1 and len(parts[-1].ids) >= _MERGE_FRACTION * len(parts[-2].ids):
            younger, elder = parts.pop(), parts.pop()
            merged, gone = _merge([elder, younger], gone)
            parts += [merged] if len(merged.ids) else []
        return View(self.generation, seq, self.base, tuple(parts), gone)

    @property
    def _indexes(self) -> tuple[VectorIndex, ...]:
        return self.parts if self.base is None else (self.base, *self.parts)

    @cached_property
    def _present(self) -> tuple[VectorIndex, ...]:
        """The indexes without what is gone."""
        if not len(self.gone):
            return self._indexes
        return self._among(np.ones(1 + int(self._indexes[-1].ids[-1]), np.bool_))

    def _among(self, mask: Mask) -> tuple[VectorIndex, ...]:
        mask[self.gone[self.gone < len(mask)]] = False
        return tuple(index.only(mask) for index in self._indexes)


def _merge(parts: Sequence[VectorIndex], gone: Ids) -> tuple[FaissIndex, Ids]:
    """One part of several, without what is gone; and what is gone from the other parts."""
    kept = [np.setdiff1d(part.ids, gone) for part in parts]
    vectors = [part.vectors(ids) for part, ids in zip(parts, kept, strict=True)]
    merged = FaissIndex.flat(np.concatenate(kept), np.concatenate(vectors))
    return merged, np.setdiff1d(gone, np.concatenate([part.ids for part in parts]))


def _cosines(queries: Vectors, vectors: Vectors) -> Scores:
    """The best cosine of each vector to any query, (n,), in float64, to twelve decimals.

    So a vector has the score 1 with itself, and equal vectors have equal scores and keep the
    order of their ids on every page. The last bits of a matrix product depend on the size of the
    matrix; those of einsum do not.
    """
    wide, wide_queries = vectors.astype(np.float64), queries.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    query_lengths = np.linalg.norm(wide_queries, axis=1)
    products = np.einsum("nd,md->nm", wide, wide_queries)
    scores: Scores = (products / (lengths * query_lengths)).max(axis=1)
    return np.clip(np.round(scores, _DECIMALS), -1.0, 1.0)

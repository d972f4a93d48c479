"""What one search reads: immutable, so that searching takes no lock."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from indexer.arrays import Ids, Scores, Vectors
from indexer.index.base import Hits, Mask, VectorIndex
from indexer.index.faiss_index import FaissIndex

# A part is merged into its elder once it is this fraction of it. So a view has few parts, and
# a row is copied a number of times that grows with the logarithm of the rows added.
_MERGE_FRACTION = 0.25
# Inner products in float32 are off by less; so many more candidates than asked for are
# compared again exactly, so that rounding does not decide who is on the page.
_MARGIN = 16
_NONE: Ids = np.empty(0, np.int64)


@dataclass(frozen=True)
class View:
    """The images of a catalogue as of one `seq`.

    Args:
        seq: the journal's.
        parts: indexes that are not empty, of rising ids, elder and larger ones first.
        gone: ids (n,) ascending that are in `parts` and no longer in the catalogue.
    """

    seq: int
    parts: tuple[VectorIndex, ...] = ()
    gone: Ids = field(default_factory=lambda: _NONE)

    def __len__(self) -> int:
        return sum(len(part.ids) for part in self.parts) - len(self.gone)

    def search(self, queries: Vectors, k: int, allowed: Mask | None = None) -> Hits:
        """The k best images, each by its best cosine to any of the queries.

        Args:
            queries: (m, dimension), rows of length 1.
            k: at most so many; fewer only where no more are allowed.
            allowed: which images may be found; None allows all.
        """
        mask = self._without_gone(allowed)
        found, scores = [_NONE], [np.empty(0, np.float64)]
        for part in self.parts:
            ids = part.candidates(queries, k + _MARGIN, mask)
            found.append(ids)
            scores.append(_cosines(queries, part.vectors(ids)))
        ids, score = np.concatenate(found), np.concatenate(scores)
        best = np.lexsort((ids, -score))[:k]
        return Hits(ids[best], score[best])

    def advanced(self, seq: int, ids: Ids, vectors: Vectors, removed: Ids = _NONE) -> "View":
        """The view as of a later `seq`, at a cost that goes with the change.

        Args:
            ids: (n,) of the images that came, vectors (n, dimension).
            removed: (n,) of the images of this view that went.
        """
        gone = np.union1d(self.gone, removed)
        parts = [*self.parts, FaissIndex(ids, vectors)] if len(ids) else list(self.parts)
        while len(parts) > 1 and len(parts[-1].ids) >= _MERGE_FRACTION * len(parts[-2].ids):
            younger, elder = parts.pop(), parts.pop()
            merged, gone = _merge([elder, younger], gone)
            parts += [merged] if len(merged.ids) else []
        return View(seq, tuple(parts), gone)

    def _without_gone(self, allowed: Mask | None) -> Mask | None:
        if not len(self.gone):
            return allowed
        if allowed is None:
            return self._all_but_gone
        mask = allowed.copy()
        mask[self.gone[self.gone < len(mask)]] = False
        return mask

    @cached_property
    def _all_but_gone(self) -> Mask:
        mask = np.ones(1 + int(self.parts[-1].ids[-1]), np.bool_)
        mask[self.gone] = False
        return mask


def _merge(parts: Sequence[VectorIndex], gone: Ids) -> tuple[FaissIndex, Ids]:
    """One part of several, without what is gone; and what is gone from the other parts."""
    kept = [np.setdiff1d(part.ids, gone) for part in parts]
    vectors = [part.vectors(ids) for part, ids in zip(parts, kept, strict=True)]
    merged = FaissIndex(np.concatenate(kept), np.concatenate(vectors))
    return merged, np.setdiff1d(gone, np.concatenate([part.ids for part in parts]))


def _cosines(queries: Vectors, vectors: Vectors) -> Scores:
    """The best cosine of each vector to any query, (n,), in float64."""
    wide, wide_queries = vectors.astype(np.float64), queries.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    query_lengths = np.linalg.norm(wide_queries, axis=1)
    scores: Scores = (wide @ wide_queries.T / (lengths * query_lengths)).max(axis=1)
    return np.clip(scores, -1.0, 1.0)

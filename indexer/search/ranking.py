"""Ranking the products of one version of a collection by one query."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from indexer.arrays import Vectors
from indexer.search.parameters import SearchParameters
from indexer.search.reranking import (
    WINDOW,
    Ranked,
    best_of_groups,
    interleaved,
    without_duplicates,
)
from indexer.store import Candidates, SearchReader, Selection

# Candidates fetched at first, as a multiple of the products wanted: most have one or two photos.
_IMAGES_PER_PRODUCT = 2
_FIRST_CANDIDATES = 64
_GROWTH = 4


class Found(NamedTuple):
    """A page of a ranking.

    Args:
        top: the certain top of the ranking, before grouping, deduplication and interleaving; with
            `min_score` it is the whole ranking.
        page: made of the top.
        precomputed: whether the index was not searched.
    """

    top: list[Ranked]
    page: list[Ranked]
    precomputed: bool


@dataclass(frozen=True)
class Ranking:
    """Products by the best score of their images and by boosts, equal ones by product id.

    Args:
        reader: reads vectors, values of attributes and precomputed neighbours.
        selection: the products to rank.
        queries: returns the vectors (n, dimension); called only if the index is searched.
        parameters: of the query.
        like: the product whose images the queries are; None if they are anything else.
    """

    reader: SearchReader
    selection: Selection
    queries: Callable[[], Vectors]
    parameters: SearchParameters
    like: str | None = None

    def found(self) -> Found:
        """Returns the page, from precomputed neighbours if they suffice."""
        k = max(_FIRST_CANDIDATES, _IMAGES_PER_PRODUCT * self._depth)
        known, complete = self._precomputed(k)
        page = self._page(known, complete=complete)
        if page is not None:
            return Found(known, page, precomputed=True)
        parts, queries = self._parts(), self.queries()
        while page is None:
            top, complete = self._certain(parts, queries, k, known)
            page = self._page(top, complete=complete)
            k *= _GROWTH
        return Found(top, page, precomputed=False)

    @property
    def _page_end(self) -> int:
        return self.parameters.offset + self.parameters.limit

    @property
    def _depth(self) -> int:
        """The products to rank: to the end of the page, with interleaving to that of its window."""
        return -(-self._page_end // WINDOW) * WINDOW if self.parameters.turns else self._page_end

    def _parts(self) -> list[tuple[float, Selection]]:
        """Returns the selection in parts of equal boost, each with its boost."""
        boosts = self.parameters.boosts
        if not boosts:
            return [(0.0, self.selection)]
        parts = self.selection.split([boost.condition for boost in boosts])
        return [
            (float(sum(b.weight for b, is_met in zip(boosts, met, strict=True) if is_met)), part)
            for met, part in parts
        ]

    @property
    def _floor(self) -> float:
        floor = self.parameters.min_score
        return -2.0 if floor is None else floor

    def _precomputed(self, k: int) -> tuple[list[Ranked], bool]:
        """Returns the precomputed top of the ranking, and whether it is all of it."""
        found = None
        if self.like is not None and not self.parameters.boost:
            found = self.reader.neighbours([self.like], k).get(self.like)
        if found is None:
            return [], False
        best: dict[str, Ranked] = {}
        _collect(best, self.selection.among(found), 0.0, self._floor)
        return list(best.values()), found.unseen < self._floor

    def _certain(
        self,
        parts: Sequence[tuple[float, Selection]],
        queries: Vectors,
        k: int,
        known: Sequence[Ranked],
    ) -> tuple[list[Ranked], bool]:
        """Returns the certain top of the ranking after k images of each part, and if it is all.

        No unseen image ranks above the last seen image of its part. The top begins with the known
        products: an index that compares a part of the images may miss one, and pages must join.
        """
        unseen = -np.inf
        best = {row.product_id: row for row in known}
        for boost, part in parts:
            candidates = part.nearest(queries, k)
            if candidates.unseen >= self._floor:
                unseen = max(unseen, candidates.unseen + boost)
            _collect(best, candidates, boost, self._floor)
        ranked = sorted(best.values(), key=lambda row: (-row.rank, row.product_id))
        certain = sum(row.rank > unseen for row in ranked)
        return ranked[: max(certain, len(known))], unseen == -np.inf

    def _page(self, top: list[Ranked], *, complete: bool) -> list[Ranked] | None:
        """Returns the page made of a top of the ranking; None if the top is too short for it."""
        reranked = self._reranked(top, complete=complete)
        if complete or (len(reranked) >= self._page_end and self.parameters.min_score is None):
            return reranked[self.parameters.offset : self._page_end]
        return None

    def _reranked(self, ranked: list[Ranked], *, complete: bool) -> list[Ranked]:
        parameters = self.parameters
        if parameters.group_by:
            ranked = best_of_groups(ranked, self._values(ranked, parameters.group_by))
        if parameters.dedup is not None:
            ranked = without_duplicates(ranked, self._vectors, parameters.dedup, self._depth)
        if parameters.turns:
            name, per_turn = parameters.turns
            # A full window is certain, whatever follows it.
            values = self._values(ranked, name)
            ranked = interleaved(ranked, values, per_turn, complete=complete)
        return ranked

    def _values(self, ranked: Sequence[Ranked], name: str) -> list[Hashable | None]:
        return self.reader.first_values(name, [row.product_id for row in ranked])

    def _vectors(self, image_ids: list[int]) -> Vectors:
        return self.reader.image_vectors(np.array(image_ids, np.int64))


def _collect(best: dict[str, Ranked], candidates: Candidates, boost: float, floor: float) -> None:
    """Adds the best image of each product; candidates come by falling score."""
    rows = zip(
        candidates.product_ids,
        candidates.image_ids.tolist(),
        candidates.scores.tolist(),
        strict=True,
    )
    for product_id, image_id, score in rows:
        if score >= floor and product_id not in best:
            best[product_id] = Ranked(score + boost, product_id, image_id, score, boost)

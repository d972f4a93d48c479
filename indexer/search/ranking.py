"""Ranking the products of one version of a collection by one query."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Ranking:
    """Products by the best score of their images and by boosts, equal ones by product id.

    Args:
        reader: reads vectors and values of attributes.
        selection: the products to rank.
        queries: (n, dimension).
        parameters: of the query.
    """

    reader: SearchReader
    selection: Selection
    queries: Vectors
    parameters: SearchParameters

    def found(self) -> tuple[list[Ranked], list[Ranked]]:
        """Returns the certain top of the ranking, and the page made of it.

        The top is the ranking before grouping, deduplication and interleaving; with `min_score`
        it is the whole ranking.
        """
        parts = self._parts()
        k = max(_FIRST_CANDIDATES, _IMAGES_PER_PRODUCT * self._depth)
        while True:
            certain, complete = self._certain(parts, k)
            reranked = self._reranked(certain, complete=complete)
            if complete or (len(reranked) >= self._page_end and self.parameters.min_score is None):
                return certain, reranked[self.parameters.offset : self._page_end]
            k *= _GROWTH

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

    def _certain(
        self, parts: Sequence[tuple[float, Selection]], k: int
    ) -> tuple[list[Ranked], bool]:
        """Returns the certain top of the ranking after k images of each part, and if it is all.

        No unseen image ranks above the last seen image of its part.
        """
        floor = self.parameters.min_score
        floor = -2.0 if floor is None else floor
        unseen = -np.inf
        best: dict[str, Ranked] = {}
        for boost, part in parts:
            candidates = part.nearest(self.queries, k)
            if candidates.unseen >= floor:
                unseen = max(unseen, candidates.unseen + boost)
            _collect(best, candidates, boost, floor)
        ranked = sorted(best.values(), key=lambda row: (-row.rank, row.product_id))
        complete = unseen == -np.inf
        return ranked if complete else [row for row in ranked if row.rank > unseen], complete

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

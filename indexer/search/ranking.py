"""Ranking the products of one snapshot by one query."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from indexer.arrays import Ids, Vectors
from indexer.search.arrange import (
    WINDOW,
    Ranked,
    best_of_groups,
    taking_turns,
    without_duplicates,
)
from indexer.search.parameters import SearchParameters
from indexer.search.scope import Scope
from indexer.store.embedded.attributes import Table
from indexer.store.embedded.index import Hits, View

# Candidates fetched at first, as a multiple of the products wanted: most have one or two photos.
_IMAGES_PER_PRODUCT = 2
_FIRST_CANDIDATES = 64
_GROWTH = 4


@dataclass(frozen=True)
class Ranking:
    """Products by the best score of their images and by boosts, equal ones by product id.

    Args:
        view: searched.
        queries: (n, dimension).
        scope: which products may be found, and how they are boosted.
        parameters: of the query.
        owners: gives the product id of each image.
        table: None if neither groups nor turns are asked for.
    """

    view: View
    queries: Vectors
    scope: Scope
    parameters: SearchParameters
    owners: Callable[[Ids], Sequence[str]]
    table: Table | None

    def found(self) -> tuple[list[Ranked], list[Ranked]]:
        """The products that are surely best, and the page that is made of them.

        The first are as they are before groups, duplicates and turns; where there is a lowest
        score, they are all that have it.
        """
        k = max(_FIRST_CANDIDATES, _IMAGES_PER_PRODUCT * self._enough)
        while True:
            certain, complete = self._certain(k)
            arranged = self._arranged(certain, complete=complete)
            if complete or (len(arranged) >= self._wanted and self.parameters.min_score is None):
                return certain, arranged[self.parameters.offset : self._wanted]
            k *= _GROWTH

    @property
    def _wanted(self) -> int:
        return self.parameters.offset + self.parameters.limit

    @property
    def _enough(self) -> int:
        """As `_wanted`, to the end of a window if values take turns."""
        return -(-self._wanted // WINDOW) * WINDOW if self.parameters.turns else self._wanted

    def _certain(self, k: int) -> tuple[list[Ranked], bool]:
        """The products that are surely best, after k images of each stratum; whether that is all.

        No image that was not seen ranks above the last one seen of its stratum.
        """
        floor = self.parameters.min_score
        floor = -2.0 if floor is None else floor
        unseen = -np.inf
        best: dict[str, Ranked] = {}
        for boost, images, own in self.scope.strata:
            hits = self.view.search(self.queries, k, images)
            if len(hits) == k and hits.scores[-1] >= floor:
                unseen = max(unseen, hits.scores[-1] + boost)
            if own is not None:
                hits = Hits(hits.ids[own[hits.ids]], hits.scores[own[hits.ids]])
            self._collect(best, hits, boost, floor)
        ranked = sorted(best.values(), key=lambda row: (-row.rank, row.product_id))
        complete = unseen == -np.inf
        return ranked if complete else [row for row in ranked if row.rank > unseen], complete

    def _collect(self, best: dict[str, Ranked], hits: Hits, boost: float, floor: float) -> None:
        owners = self.owners(hits.ids)
        rows = zip(owners, hits.ids.tolist(), hits.scores.tolist(), strict=True)
        for owner, image_id, score in rows:
            if score >= floor and owner not in best and owner not in self.scope.excluded:
                best[owner] = Ranked(score + boost, owner, image_id, score, boost)

    def _arranged(self, ranked: list[Ranked], *, complete: bool) -> list[Ranked]:
        wishes = self.parameters
        if wishes.group_by:
            ranked = best_of_groups(ranked, self._values(ranked, wishes.group_by))
        if wishes.dedup is not None:
            ranked = without_duplicates(ranked, self._vectors, wishes.dedup, self._enough)
        if wishes.turns:
            name, most = wishes.turns
            # A window that is full is certain, whatever comes after it.
            ranked = taking_turns(ranked, self._values(ranked, name), most, complete=complete)
        return ranked

    def _values(self, ranked: Sequence[Ranked], name: str) -> list[int | None]:
        if self.table is None:
            raise ValueError("attributes without a table")
        rows = self.table.find([row.product_id for row in ranked])
        keys, has = self.table.first_keys(name, rows)
        return [k if known else None for k, known in zip(keys.tolist(), has, strict=True)]

    def _vectors(self, image_ids: list[int]) -> Vectors:
        return self.view.vectors(np.array(image_ids, np.int64))

"""Selections of the embedded store: all products, or a mask over the rows of the table."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import compress
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from indexer.arrays import Ids, Vectors
from indexer.store.conditions import Condition
from indexer.store.embedded.attributes import Table
from indexer.store.embedded.index import Hits, Images, View
from indexer.store.embedded.memo import Memo
from indexer.store.selection import Candidates, FacetCount

Mask = NDArray[np.bool_]
Owners = Callable[[Ids], Sequence[str]]
T = TypeVar("T")

# If more products than this share are selected, all images are searched and the hits are filtered,
_LARGE_SHARE = 0.4
# unless fewer hits than this share are left. The first search asks for six times the page.
_ENOUGH_SHARE = 1 / 4


@dataclass(frozen=True)
class WholeCollection:
    """All products except the excluded ones; searching them needs no attributes.

    Args:
        view: the images to search.
        owners: returns the product ids of images (n,), in the same order.
        products: number of products, including the excluded ones.
        excluded: product ids.
        table: required only for facets and groups.
    """

    view: View
    owners: Owners
    products: int
    excluded: frozenset[str]
    table: Table | None
    estimated = False

    @property
    def total(self) -> int:
        return self.products - len(self.excluded)

    def nearest(self, queries: Vectors, k: int) -> Candidates:
        # There are few excluded products, so they are removed from the hits.
        hits = self.view.search(queries, k)
        return _without(_candidates(hits, hits, k, self.owners), self.excluded)

    def among(self, candidates: Candidates) -> Candidates:
        return _without(candidates, self.excluded)

    def split(self, conditions: Sequence[Condition]) -> list[tuple[tuple[bool, ...], "Rows"]]:
        return self._rows.split(conditions)

    def only(self, product_ids: Sequence[str]) -> "Rows":
        return self._rows.only(product_ids)

    def page(self, after: str, limit: int) -> list[str]:
        return self._rows.page(after, limit)

    def facet(self, name: str, limit: int) -> list[FacetCount]:
        return self._rows.facet(name, limit)

    def distinct(self, name: str) -> int:
        return self._rows.distinct(name)

    @cached_property
    def _rows(self) -> "Rows":
        if self.table is None:
            raise ValueError("this reader was opened without attributes")
        return Rows.matching(self.view, self.table, self.owners, (), self.excluded)


@dataclass(frozen=True)
class Rows:
    """Products given by a mask over the rows of the table, except the excluded ones.

    What does not depend on the excluded products, which differ from query to query, is remembered.

    Args:
        view: the images to search.
        table: of the same version.
        owners: returns the product ids of images (n,), in the same order.
        rows: (rows,) of the selected products, including the excluded ones.
        excluded: product ids.
        key: of the rows in the memo.
        memo: of the view.
    """

    view: View
    table: Table
    owners: Owners
    rows: Mask
    excluded: frozenset[str]
    key: Hashable
    memo: Memo
    estimated = False

    @classmethod
    def matching(
        cls,
        view: View,
        table: Table,
        owners: Owners,
        conditions: Sequence[Condition],
        excluded: frozenset[str],
    ) -> "Rows":
        """Selects the products that match all conditions.

        Raises:
            BadFilterError: a condition is on an attribute that no product has.
        """
        key = frozenset(condition.text for condition in conditions)
        rows = view.memo.get(key, lambda: table.matching(conditions), _bytes)
        return cls(view, table, owners, rows, excluded, key, view.memo)

    @cached_property
    def total(self) -> int:
        return self._matching - len(self._excluded_rows)

    def nearest(self, queries: Vectors, k: int) -> Candidates:
        if self._matching > _LARGE_SHARE * len(self.table):
            found = self.view.search(queries, k)
            chosen = self.table.own(self.rows, found.ids)
            if len(found) < k or np.count_nonzero(chosen) >= _ENOUGH_SHARE * k:
                hits = Hits(found.ids[chosen], found.scores[chosen])
                return _without(_candidates(hits, found, k, self.owners), self.excluded)
        found = self._images.search(queries, k)
        return _without(_candidates(found, found, k, self.owners), self.excluded)

    def among(self, candidates: Candidates) -> Candidates:
        chosen = self.table.own(self.rows, candidates.image_ids)
        return _without(_kept(candidates, chosen), self.excluded)

    def split(self, conditions: Sequence[Condition]) -> list[tuple[tuple[bool, ...], "Rows"]]:
        texts = tuple(condition.text for condition in conditions)
        parts = self._once(texts, lambda: self._split(conditions), lambda p: _bytes(*p.values()))
        found = [
            (met, replace(self, rows=rows, key=(self.key, texts, met)))
            for met, rows in parts.items()
        ]
        return [(met, part) for met, part in found if part.total]

    def only(self, product_ids: Sequence[str]) -> "Rows":
        rows = np.zeros_like(self.rows)
        rows[self.table.rows_of(product_ids)] = True
        return replace(self, rows=rows & self.rows, key=None, memo=Memo())

    def page(self, after: str, limit: int) -> list[str]:
        return self.table.page(self._rows_left, after, limit)

    def facet(self, name: str, limit: int) -> list[FacetCount]:
        counts = self._once(name, lambda: self.table.counts(name, self.rows), lambda c: _bytes(*c))
        if len(self._excluded_rows):
            less = self.table.counts_of(name, self._excluded_rows)
            counts = [count - of for count, of in zip(counts, less, strict=True)]
        return self.table.facet(name, counts, limit)

    def distinct(self, name: str) -> int:
        return self.table.distinct(name, self._rows_left)

    @cached_property
    def _matching(self) -> int:
        """The number of products, including the excluded ones."""
        return int(np.count_nonzero(self.rows))

    @cached_property
    def _excluded_rows(self) -> Ids:
        """The numbers of the rows of excluded products that match."""
        rows = self.table.rows_of(self.excluded)
        return rows[self.rows[rows]]

    @property
    def _rows_left(self) -> Mask:
        """The rows without those of excluded products."""
        rows = self.rows.copy()
        rows[self._excluded_rows] = False
        return rows

    @property
    def _images(self) -> Images:
        def restricted() -> Images:
            return self.view.only(self.table.images(self.rows))

        # Restricted indexes take less than one byte per image.
        return self._once(None, restricted, lambda _: len(self.view))

    def _split(self, conditions: Sequence[Condition]) -> dict[tuple[bool, ...], Mask]:
        parts: dict[tuple[bool, ...], Mask] = {(): self.rows}
        for condition in conditions:
            having = self.table.having(condition)
            halves = [
                ((*met, flag), rows & (having if flag else ~having))
                for met, rows in parts.items()
                for flag in (False, True)
            ]
            parts = {met: rows for met, rows in halves if rows.any()}
        return parts

    def _once(self, what: Hashable, compute: Callable[[], T], size: Callable[[T], int]) -> T:
        return self.memo.get((self.key, what), compute, size)


def _bytes(*arrays: NDArray[Any]) -> int:
    return sum(array.nbytes for array in arrays)


def _candidates(hits: Hits, found: Hits, k: int, owners: Owners) -> Candidates:
    """Converts to candidates the `hits` that match, out of what a search for k images found."""
    unseen = float(found.scores[-1]) if len(found) == k else -np.inf
    return Candidates(owners(hits.ids), hits.ids, hits.scores, unseen)


def _without(candidates: Candidates, excluded: frozenset[str]) -> Candidates:
    if not excluded:
        return candidates
    return _kept(candidates, np.array([i not in excluded for i in candidates.product_ids], bool))


def _kept(candidates: Candidates, mask: Mask) -> Candidates:
    return Candidates(
        list(compress(candidates.product_ids, mask)),
        candidates.image_ids[mask],
        candidates.scores[mask],
        candidates.unseen,
    )

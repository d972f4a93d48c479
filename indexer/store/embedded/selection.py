"""Selections of the embedded store: all products, or a mask over the rows of the table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from indexer.arrays import Ids, Vectors
from indexer.store.conditions import Condition
from indexer.store.embedded.attributes import Table
from indexer.store.embedded.index import Hits, View
from indexer.store.selection import Candidates, FacetCount

Mask = NDArray[np.bool_]
Owners = Callable[[Ids], Sequence[str]]


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

    def facet(self, name: str, limit: int) -> list[FacetCount]:
        return self._rows.facet(name, limit)

    def distinct(self, name: str) -> int:
        return self._rows.distinct(name)

    @cached_property
    def _rows(self) -> "Rows":
        if self.table is None:
            raise ValueError("this reader was opened without attributes")
        rows = self.table.without(self.excluded)
        return Rows(self.view, self.table, self.owners, rows, is_everything=True)


@dataclass(frozen=True)
class Rows:
    """Products given by a mask over the rows of the table.

    Args:
        view: the images to search.
        table: of the same version.
        owners: returns the product ids of images (n,), in the same order.
        rows: (rows,) of the selected products.
        is_everything: whether all products except a few excluded ones are selected.
        search_all: search all images and filter the hits, which is faster if nearly all match.
    """

    view: View
    table: Table
    owners: Owners
    rows: Mask
    is_everything: bool = False
    search_all: bool = False

    @cached_property
    def total(self) -> int:
        return int(np.count_nonzero(self.rows))

    def nearest(self, queries: Vectors, k: int) -> Candidates:
        if not self.search_all:
            hits = self.view.search(queries, k, self._images)
            return _candidates(hits, hits, k, self.owners)
        found = self.view.search(queries, k)
        chosen = self._images[found.ids]
        hits = Hits(found.ids[chosen], found.scores[chosen])
        return _candidates(hits, found, k, self.owners)

    def among(self, candidates: Candidates) -> Candidates:
        return _kept(candidates, self._images[candidates.image_ids])

    @cached_property
    def _images(self) -> Mask:
        return self.table.images(self.rows)

    def split(self, conditions: Sequence[Condition]) -> list[tuple[tuple[bool, ...], "Rows"]]:
        kinds = np.zeros(len(self.rows), np.uint32)
        for bit, condition in enumerate(conditions):
            kinds |= self.table.having(condition).astype(np.uint32) << bit
        counts = np.bincount(kinds[self.rows], minlength=1)
        parts = []
        for kind in np.flatnonzero(counts).tolist():
            met = tuple(bool(kind >> bit & 1) for bit in range(len(conditions)))
            part = replace(
                self,
                rows=self.rows & (kinds == kind),
                is_everything=False,
                search_all=self.is_everything and 2 * counts[kind] > len(self.table),
            )
            parts.append((met, part))
        return parts

    def only(self, product_ids: Sequence[str]) -> "Rows":
        rows = self.rows & ~self.table.without(product_ids)
        return replace(self, rows=rows, is_everything=False, search_all=False)

    def facet(self, name: str, limit: int) -> list[FacetCount]:
        return self.table.facet(name, self.rows, limit)

    def distinct(self, name: str) -> int:
        return self.table.distinct(name, self.rows)


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

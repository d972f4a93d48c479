"""Builds a table of neighbours, or a new one from the previous and what changed since."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from indexer.arrays import Ids, Vectors
from indexer.store.embedded.index import cosines
from indexer.store.embedded.neighbours.exact import (
    TOLERANCE,
    Distinct,
    Lists,
    exact_lists,
    ranked,
)
from indexer.store.embedded.neighbours.merging import Entry, entries_of, merged
from indexer.store.embedded.neighbours.table import CatalogImages, Origin, Table, width_of

# Inner products of an update computed at once: 64 MiB.
_PRODUCTS = 1 << 24
_BLOCK = 4096  # products, at most

Mask = NDArray[np.bool_]
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Collection:
    """What tables are made from.

    Args:
        origin: the version.
        photos: of all products.
        vectors: (n, dimension), in the same order.
    """

    origin: Origin
    photos: CatalogImages
    vectors: Vectors


def built(collection: Collection, k: int, progress: Progress) -> Table:
    """Compares every product with every other.

    Args:
        collection: all products.
        k: neighbours to keep of each product.
        progress: called with the number of lists done.
    """
    lists = _exact(collection, np.arange(len(collection.photos)), k, progress)
    return Table(k, collection.origin, collection.photos, lists.places, lists.scores)


def updated(
    table: Table, collection: Collection, changed: frozenset[str], progress: Progress
) -> Table:
    """Returns the table of a later version; the first k of its lists are those of a built one.

    Args:
        table: of an earlier version of the same catalogue.
        collection: all products.
        changed: ids of the products whose images were added or removed since the table.
        progress: called with the number of lists done.
    """
    carried = _Carried.of(table, collection, changed)
    lists, photos = carried.lists(), collection.photos
    least = min(1 + table.k, len(photos))
    is_done = np.zeros(len(photos), np.bool_)
    for block in carried.blocks():
        for number, entries in carried.merges(block):
            places = photos.places_of([entry.image_id for entry in entries])
            lists.put(number, places, np.array([-entry.negated_score for entry in entries]))
        is_done[block] = np.count_nonzero(lists.places[block] >= 0, axis=1) >= least
        progress(int(np.count_nonzero(is_done[block])))
    redone = np.flatnonzero(~is_done)
    exact = _exact(collection, redone, table.k, progress)
    lists.places[redone], lists.scores[redone] = exact.places, exact.scores
    return Table(table.k, collection.origin, photos, lists.places, lists.scores)


def _exact(collection: Collection, products: Ids, k: int, progress: Progress) -> Lists:
    photos, vectors = collection.photos, collection.vectors
    return exact_lists(photos, vectors, products, 1 + k, width_of(k), progress)


@dataclass(frozen=True)
class _Carried:
    """The lists of the products that have not changed.

    These products and their images have the same order in the table and in the collection.

    Args:
        table: the previous one.
        collection: all products.
        changed: ids of the products that have changed.
        was_changed: (p,) products of the table that have changed.
        is_changed: (q,) products of the collection that have changed.
    """

    table: Table
    collection: Collection
    changed: frozenset[str]
    was_changed: Mask
    is_changed: Mask

    @classmethod
    def of(cls, table: Table, collection: Collection, changed: frozenset[str]) -> "_Carried":
        before, now = (_mask(p, changed) for p in (table.photos, collection.photos))
        return cls(table, collection, changed, before, now)

    def lists(self) -> Lists:
        """Returns the lists with the places of the collection, and empty ones for changed products.

        Those with changed members have gaps; they are among `merges`.
        """
        old, new = self.table.photos, self.collection.photos
        place = np.full(len(old.ids) + 1, -1, np.int32)  # the last one for -1
        place[np.flatnonzero(~self.was_changed[old.owners])] = np.flatnonzero(
            ~self.is_changed[new.owners]
        )
        lists = Lists.empty(len(new), self.table.lists.shape[1])
        lists.places[~self.is_changed] = place[self.table.lists[~self.was_changed]]
        lists.scores[~self.is_changed] = self.table.scores[~self.was_changed]
        return lists

    def blocks(self) -> Iterator[Ids]:
        """Yields the numbers of the products that have not changed, as many as `merges` takes."""
        numbers, photos = np.flatnonzero(~self.is_changed), self.collection.photos
        images = len(photos.ids) / max(1, len(photos))  # of a product
        step = int(_PRODUCTS / max(1, images * len(self._entering)))
        step = max(1, min(_BLOCK, step))
        for start in range(0, len(numbers), step):
            yield numbers[start : start + step]

    def merges(self, block: Ids) -> Iterator[tuple[int, list[Entry]]]:
        """Yields the lists of a block to which changed products belong or belonged."""
        near = self._near(block)
        for row in np.flatnonzero(near.any(axis=1) | self._leaving[block]).tolist():
            number = int(block[row])
            entries = entries_of(self.table, int(self._old_numbers[number]))
            new = self._first(number, self._entering[near[row]])
            complete = len(entries) == len(self.table.photos)
            yield number, merged(entries, self.changed, new, complete=complete)

    def _near(self, block: Ids) -> Mask:
        """(products, images) which of `_entering` may enter the lists of a block."""
        photos, vectors = self.collection.photos, self.collection.vectors
        start, stop = photos.starts[block[0]], photos.starts[block[-1] + 1]
        places = start + np.flatnonzero(~self.is_changed[photos.owners[start:stop]])
        products = vectors[places] @ vectors[self._entering].T
        best = np.maximum.reduceat(products, np.searchsorted(photos.owners[places], block))
        return np.asarray(best >= self._floors[block][:, None])

    def _first(self, number: int, places: Ids) -> list[Entry]:
        """Returns the first products of the ranking of some images by those of a product.

        Only as many as a list takes: they may be most of the catalogue.
        """
        photos, vectors = self.collection.photos, self.collection.vectors
        scores = cosines(vectors[photos.of_product(number)], vectors[places])
        places, scores = ranked(places, scores, photos.owners)
        places, scores = places[: self._width], scores[: self._width]
        owners = photos.product_ids[photos.owners[places]]
        ids = photos.ids[places]
        return list(map(Entry, (-scores).tolist(), owners.tolist(), ids.tolist()))

    @property
    def _width(self) -> int:
        return width_of(self.table.k)

    @cached_property
    def _entering(self) -> Ids:
        """The places of the images of changed products that may enter lists.

        Of the products with equal vectors, only as many as a list takes.
        """
        photos = self.collection.photos
        places = np.flatnonzero(self.is_changed[photos.owners])
        own = CatalogImages(photos.product_ids, photos.ids[places], photos.owners[places])
        distinct = Distinct.of(own, self.collection.vectors[places], self._width)
        return np.sort(places[distinct.places])

    @cached_property
    def _old_numbers(self) -> Ids:
        """(q,) the numbers in the table; -1 of changed products."""
        numbers = np.full(len(self.is_changed), -1)
        numbers[~self.is_changed] = np.flatnonzero(~self.was_changed)
        return numbers

    @cached_property
    def _leaving(self) -> Mask:
        """(q,) lists that have changed members."""
        changed = np.append(self.was_changed[self.table.photos.owners], False)  # for -1
        leaving = np.asarray(changed[self.table.lists].any(axis=1))
        return leaving[self._old_numbers] & ~self.is_changed

    @cached_property
    def _floors(self) -> NDArray[np.float64]:
        """(q,) scores, in float32, below which nothing enters a list."""
        lengths = np.count_nonzero(self.table.lists >= 0, axis=1)
        lowest = self.table.scores[np.arange(len(lengths)), lengths - 1]
        floors = np.where(lengths == len(self.table.photos), -np.inf, lowest - TOLERANCE)
        return np.asarray(floors[self._old_numbers])


def _mask(photos: CatalogImages, product_ids: frozenset[str]) -> Mask:
    mask = np.zeros(len(photos), np.bool_)
    numbers = map(photos.number_of, product_ids)
    mask[[number for number in numbers if number is not None]] = True
    return mask

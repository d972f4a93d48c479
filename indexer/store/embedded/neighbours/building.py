"""Builds a table of neighbours, or a new one from the previous and what changed since."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexer.arrays import Ids, Vectors
from indexer.store.embedded.neighbours.changes import Changed
from indexer.store.embedded.neighbours.exact import TOLERANCE, Lists, exact_lists
from indexer.store.embedded.neighbours.merging import Entry, entries_of, merged
from indexer.store.embedded.neighbours.table import Origin, Photos, Table, width_of

# Inner products computed at once: 64 MiB.
_PRODUCTS = 1 << 24

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
    photos: Photos
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


def updated(table: Table, collection: Collection, changed: Changed) -> Table:
    """Returns the table of a later version; the first k of its lists are those of a built one.

    Args:
        table: of an earlier version of the same catalogue.
        collection: all products.
        changed: since the table.
    """
    carried = _Carried.of(table, collection, changed)
    lists, photos = carried.lists(), collection.photos
    for number, entries in carried.merges():
        places = photos.places_of([entry.image_id for entry in entries])
        lists.put(number, places, np.array([-entry.negated_score for entry in entries]))
    lengths = np.count_nonzero(lists.places >= 0, axis=1)
    redone = np.flatnonzero(carried.is_changed | (lengths < min(1 + table.k, len(photos))))
    exact = _exact(collection, redone, table.k, lambda _: None)
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
        changed: since the table.
        was_changed: (p,) products of the table that have changed.
        is_changed: (q,) products of the collection that have changed.
    """

    table: Table
    collection: Collection
    changed: Changed
    was_changed: Mask
    is_changed: Mask

    @classmethod
    def of(cls, table: Table, collection: Collection, changed: Changed) -> "_Carried":
        before, now = (_mask(p, changed) for p in (table.photos, collection.photos))
        return cls(table, collection, changed, before, now)

    def lists(self) -> Lists:
        """Returns the lists with the places of the collection, and empty ones for changed products.

        Those with changed members have gaps; they are among `merges`.
        """
        old, new = self.table.photos, self.collection.photos
        place = np.full(len(old.ids) + 1, -1, np.int32)  # the last one for -1
        place[np.flatnonzero(~self.was_changed[old.owners])] = self._places
        lists = Lists.empty(len(new), self.table.lists.shape[1])
        lists.places[~self.is_changed] = place[self.table.lists[~self.was_changed]]
        lists.scores[~self.is_changed] = self.table.scores[~self.was_changed]
        return lists

    def merges(self) -> Iterator[tuple[int, list[Entry]]]:
        """Yields the lists to which changed products belong or belonged."""
        old_numbers = np.flatnonzero(~self.was_changed)
        numbers = np.flatnonzero(~self.is_changed)
        entering, rows = self._entering()
        leaving = numbers[self._leaving()[old_numbers]]
        old_number = dict(zip(numbers.tolist(), old_numbers.tolist(), strict=True))
        for number in np.union1d(entering, leaving).tolist():
            first, last = np.searchsorted(entering, [number, number + 1])
            entries = entries_of(self.table, old_number[number])
            new = self._scored(number, np.unique(rows[first:last]))
            complete = len(entries) == len(self.table.photos)
            yield number, merged(entries, self.changed.product_ids, new, complete=complete)

    def _scored(self, number: int, rows: Ids) -> list[Entry]:
        if not len(rows):
            return []
        own = self.collection.photos.of_product(number)
        return self.changed.scored(rows, self.collection.vectors[own])

    def _leaving(self) -> Mask:
        """(p,) lists of the table that have changed members."""
        lists, owners = self.table.lists, self.table.photos.owners
        changed = np.append(self.was_changed[owners], False)  # the last one for -1
        return np.asarray(changed[lists].any(axis=1))

    def _entering(self) -> tuple[Ids, Ids]:
        """Returns pairs: a product, ascending, and a row of `changed` that may enter its list."""
        photos, vectors = self.collection.photos, self.collection.vectors
        floors = np.full(len(photos), -np.inf)
        floors[~self.is_changed] = _floors(self.table)[~self.was_changed] - TOLERANCE
        products, rows = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        step = max(1, _PRODUCTS // max(1, len(self.changed.ids)))
        for start in range(0, len(self._places), step):
            places = self._places[start : start + step]
            owners = photos.owners[places]
            near = vectors[places] @ self.changed.vectors.T >= floors[owners][:, None]
            at, row = np.nonzero(near)
            products.append(owners[at].astype(np.int64))
            rows.append(row)
        return np.concatenate(products), np.concatenate(rows)

    @property
    def _places(self) -> Ids:
        """The places in the collection of the images of products that have not changed."""
        return np.flatnonzero(~self.is_changed[self.collection.photos.owners])


def _mask(photos: Photos, changed: Changed) -> Mask:
    mask = np.zeros(len(photos), np.bool_)
    numbers = map(photos.number_of, changed.product_ids)
    mask[[number for number in numbers if number is not None]] = True
    return mask


def _floors(table: Table) -> NDArray[np.float64]:
    """(p,) the lowest score of each list; -inf if it has all products."""
    lengths = np.count_nonzero(table.lists >= 0, axis=1)
    lowest = table.scores[np.arange(len(lengths)), lengths - 1]
    return np.where(lengths == len(table.photos), -np.inf, lowest)

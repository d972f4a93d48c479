"""Exact neighbour lists: products compared with all others in float32, the best in float64."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from indexer.arrays import Ids, Scores, Vectors
from indexer.store.embedded.index import cosines, nearest_rows
from indexer.store.embedded.neighbours.table import CatalogImages, Numbers

# An inner product in float32 and the exact cosine differ by less than this: the rounding of a sum
# of d terms is at most d / 2**24, 2.4e-4 for 4,096 values, the most that a model of ours gives.
TOLERANCE = 2.5e-4
# Products per block: 2,000 rows of inner products fill a matrix multiplication.
_BLOCK = 2_000
# Vectors found for the images of a block, at 12 bytes each: 48 MiB.
_FOUND = 1 << 22
# Vectors found per query, as multiples of the length of a list times the images per product: first
# for all products, then for those that need more. What still needs more is compared with all.
_MARGINS = (1.25, 5.0)
_ROWS = 8192  # compared in float64 at once


@dataclass(frozen=True)
class Distinct:
    """The distinct vectors of a collection: photos that products share are compared once.

    Args:
        vectors: (u, dimension).
        numbers: (n,) number of the vector of each image.
        places: (h,) by vector: the place of one image of each product that has it, by product.
        starts: (u + 1,) start of each vector in `places`, and the end.
    """

    vectors: Vectors
    numbers: Ids
    places: Ids
    starts: Ids

    @classmethod
    def of(cls, photos: CatalogImages, vectors: Vectors, limit: int) -> "Distinct":
        """Finds the distinct ones of the vectors (n, dimension) of images.

        Args:
            photos: the images.
            vectors: in the same order.
            limit: products to keep of each vector; later ones cannot be in a list of this length.
        """
        seen: dict[bytes, int] = {}
        hashes = (blake2b(vector, digest_size=16).digest() for vector in vectors)
        numbers = np.fromiter((seen.setdefault(h, len(seen)) for h in hashes), np.int64)
        first = np.unique(numbers, return_index=True)[1]
        pairs = numbers * len(photos.product_ids) + photos.owners
        places = np.unique(pairs, return_index=True)[1]
        holders = numbers[places]
        starts = np.searchsorted(holders, np.arange(len(first) + 1))
        kept = np.arange(len(places)) - starts[holders] < limit
        starts = np.searchsorted(holders[kept], np.arange(len(first) + 1))
        distinct = vectors if len(first) == len(vectors) else vectors[first]
        return cls(distinct, numbers, places[kept], starts)

    def spread(self, numbers: Ids, scores: Scores) -> tuple[Ids, Scores]:
        """Returns the places of the images that have some vectors, with the scores of these."""
        starts, counts = self.starts[numbers], self.starts[numbers + 1] - self.starts[numbers]
        offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return self.places[np.repeat(starts, counts) + offsets], np.repeat(scores, counts)


@dataclass(frozen=True)
class Lists:
    """The neighbours of some products, as in `Table`.

    Args:
        places: (q, width).
        scores: (q, width).
    """

    places: Numbers
    scores: NDArray[np.float64]

    @classmethod
    def empty(cls, count: int, width: int) -> "Lists":
        """Returns lists without entries."""
        return cls(np.full((count, width), -1, np.int32), np.zeros((count, width)))

    def put(self, row: int, places: Ids, scores: Scores) -> None:
        """Sets a list, at most to its width."""
        length = min(len(places), self.places.shape[1])
        self.places[row] = -1
        self.places[row, :length] = places[:length]
        self.scores[row, :length] = scores[:length]


def exact_lists(
    photos: CatalogImages,
    vectors: Vectors,
    products: Ids,
    least: int,
    width: int,
    progress: Callable[[int], None],
) -> Lists:
    """Returns the neighbours of products among all products.

    Args:
        photos: of the whole collection.
        vectors: (n, dimension), in the same order.
        products: (q,) numbers of the products.
        least: entries that each list has at least, if there are so many products.
        width: entries that each list has at most.
        progress: called with the number of lists done.
    """
    distinct = Distinct.of(photos, vectors, width)
    comparison = _Comparison(photos, distinct, products, least, Lists.empty(len(products), width))
    pending = np.arange(len(products))
    images = len(vectors) / max(1, len(photos))  # of a product
    for margin in _MARGINS:
        count = min(len(distinct.vectors), int(margin * width * images))
        block = max(1, min(_BLOCK, int(_FOUND / max(1, count * images))))
        left: list[int] = []
        for start in range(0, len(pending), block):
            rows = pending[start : start + block]
            short = comparison.fill(rows, count)
            left += short
            progress(len(rows) - len(short))
        pending = np.array(left, np.int64)
    for row in pending.tolist():
        comparison.fill_from_all(row)
        progress(1)
    return comparison.found


@dataclass(frozen=True)
class _Comparison:
    """Compares products with all.

    Args:
        photos: of the whole collection.
        distinct: their vectors.
        products: (q,) numbers of the products.
        least: entries that each list has at least.
        found: their lists.
    """

    photos: CatalogImages
    distinct: Distinct
    products: Ids
    least: int
    found: Lists

    def fill(self, rows: Ids, count: int) -> list[int]:
        """Fills in some lists from `count` vectors per image; returns the rows that need more."""
        distinct = self.distinct
        own = [self._own(row) for row in rows]
        asked = np.unique(np.concatenate(own))
        nearest, approximate = nearest_rows(distinct.vectors[asked], distinct.vectors, count)
        is_all = count == len(distinct.vectors)
        short = []
        for row, numbers in zip(rows.tolist(), own, strict=True):
            at = np.searchsorted(asked, numbers)
            candidates = nearest[at[0]] if len(at) == 1 else np.unique(nearest[at])
            places, scores = self._scored(numbers, candidates)
            # Any other vector scores less than the last one found, up to rounding.
            bound = -np.inf if is_all else approximate[at, -1].max() + TOLERANCE
            certain = int(np.searchsorted(-scores, -bound))
            if certain < self.least and not is_all:
                short.append(row)
            else:
                self.found.put(row, places[:certain], scores[:certain])
        return short

    def fill_from_all(self, row: int) -> None:
        """Fills in a list for which too many vectors score nearly the same.

        The products that belong to it score, in float32, at most twice the rounding less than the
        last of as many products.
        """
        distinct, numbers = self.distinct, self._own(row)
        scores = (distinct.vectors @ distinct.vectors[numbers].T).max(axis=1)
        places, spread = distinct.spread(np.arange(len(scores)), scores)
        best = np.full(len(self.photos), -np.inf)
        np.maximum.at(best, self.photos.owners[places], spread)
        last = len(best) - min(self.found.places.shape[1], len(best))
        floor = np.partition(best, last)[last] - 2 * TOLERANCE
        self.found.put(row, *self._scored(numbers, np.flatnonzero(scores >= floor)))

    def _own(self, row: int) -> Ids:
        """Returns the numbers of the vectors of a product."""
        images = self.photos.of_product(int(self.products[row]))
        numbers: Ids = np.unique(self.distinct.numbers[images])
        return numbers

    def _scored(self, numbers: Ids, candidates: Ids) -> tuple[Ids, Scores]:
        """Ranks the images that have some vectors by their cosine to those of a product."""
        vectors = self.distinct.vectors
        scores = [
            cosines(vectors[numbers], vectors[candidates[start : start + _ROWS]])
            for start in range(0, len(candidates), _ROWS)
        ]
        spread = self.distinct.spread(candidates, np.concatenate(scores))
        return ranked(*spread, self.photos.owners)


def ranked(places: Ids, scores: Scores, owners: Numbers) -> tuple[Ids, Scores]:
    """Ranks images by falling score and place, and keeps the first of each product."""
    order = np.lexsort((places, -scores))
    first = np.sort(np.unique(owners[places[order]], return_index=True)[1])
    best = order[first]
    return places[best], scores[best]

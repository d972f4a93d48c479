"""What is searched for, in what, and which results are right."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np

from indexer.arrays import Ids
from indexer.evaluation.metrics import Gains, Scores
from indexer.images import Box


@dataclass(frozen=True)
class PhotoSet:
    """Photos, grouped by product.

    Attributes:
        product_ids: p distinct ids; of queries from outside, their names.
        owners: (n,), ascending: index of each photo's product in `product_ids`.
        locations: n paths or URLs.
        content_hashes: n SHA-256 of the files.
        boxes: the part of each photo to use; None is all of it.
    """

    product_ids: Sequence[str]
    owners: Ids
    locations: Sequence[str]
    content_hashes: Sequence[str]
    boxes: Sequence[Box | None]

    def __len__(self) -> int:
        return len(self.owners)

    def of_products(self, scores: Scores) -> Scores:
        """Returns the best score of each product: (b, products), from those of all photos."""
        if len(self.product_ids) == len(self):
            return scores
        starts = np.searchsorted(self.owners, np.arange(len(self.product_ids)))
        return np.asarray(np.maximum.reduceat(scores, starts, axis=1))

    def keep(self, kept: Ids) -> "PhotoSet":
        """Returns some of the photos; `product_ids` stays as it is."""
        places = kept.tolist()
        return PhotoSet(
            self.product_ids,
            self.owners[kept],
            [self.locations[place] for place in places],
            [self.content_hashes[place] for place in places],
            [self.boxes[place] for place in places],
        )

    def with_their_products(self, kept: Ids) -> tuple["PhotoSet", Ids]:
        """Returns some of the photos with only their products, and the places of these products."""
        photos = self.keep(kept)
        products, owners = np.unique(photos.owners, return_inverse=True)
        ids = [self.product_ids[product] for product in products.tolist()]
        return replace(photos, product_ids=ids, owners=owners), products


class Judgements(Protocol):
    """Which products are right for which queries."""

    def gains(self, queries: Ids) -> Gains:
        """Returns the gain of every product for some queries: (b, products), 0 if wrong."""
        ...


@dataclass(frozen=True)
class SameLabel:
    """Products with the label of the query are right, with gain 1.

    Attributes:
        names: the labels.
        queries: (q,), index of each query's label in `names`.
        products: (p,), that of each product.
    """

    names: Sequence[str]
    queries: Ids
    products: Ids

    def gains(self, queries: Ids) -> Gains:
        """Returns 1 for equal labels."""
        return np.asarray(self.queries[queries, None] == self.products, np.float32)


@dataclass(frozen=True)
class Grades:
    """The products that people named or rated for each query are right; others are wrong.

    Attributes:
        by_query: for each query, grades by the index of the product.
        products: number of products.
    """

    by_query: Sequence[Mapping[int, float]]
    products: int

    def gains(self, queries: Ids) -> Gains:
        """Returns the grades."""
        found = np.zeros((len(queries), self.products), np.float32)
        for row, query in zip(found, queries.tolist(), strict=True):
            for product, grade in self.by_query[query].items():
                row[product] = grade
        return found


@dataclass(frozen=True)
class Task:
    """Queries, the gallery they search in, and the judgements.

    Excluded from the results of a query are exact copies of its photo and, if it is a photo of the
    gallery, its own product (leave-one-out).

    Attributes:
        gallery: what is searched in.
        queries: the photos to search with.
        rows: (q,), the place of each query in the gallery; None if they are from outside.
        judgements: of the products of the gallery for each query.
        folds: (products,), for photos of the gallery as queries, which then find only products of
            their own fold; None if they find all. Vectors of different folds are not compared.
    """

    gallery: PhotoSet
    queries: PhotoSet
    rows: Ids | None
    judgements: Judgements
    folds: Ids | None = None

    def of_products(self, queries: Ids, scores: Scores) -> Scores:
        """Returns the best score of each product, -inf if it is excluded.

        Args:
            queries: (b,).
            scores: (b, photos), of these queries; overwritten.

        Returns:
            (b, products).
        """
        copies = self._codes[1][queries, None] == self._codes[0]
        scores[copies] = -np.inf
        scores = self.gallery.of_products(scores)
        if self.rows is not None:
            scores[np.arange(len(queries)), self.queries.owners[queries]] = -np.inf
        if self.folds is not None:
            own = self.folds[self.queries.owners[queries]]
            scores[own[:, None] != self.folds] = -np.inf
        return scores

    @property
    def with_copies(self) -> int:
        """The number of queries whose exact copy was excluded, other than their own product's."""
        codes, query_codes = self._codes
        pairs = np.unique(np.stack([codes, self.gallery.owners]), axis=1)
        products = np.bincount(pairs[0], minlength=query_codes.max(initial=0) + 1)
        own = 0 if self.rows is None else 1
        return int(np.count_nonzero(products[query_codes] > own))

    @property
    def with_other_photos(self) -> int:
        """The number of queries whose product has other photos, which were excluded."""
        if self.rows is None:
            return 0
        return int(np.count_nonzero(np.bincount(self.gallery.owners)[self.queries.owners] > 1))

    @cached_property
    def _codes(self) -> tuple[Ids, Ids]:
        """Numbers that are equal for equal files: of the gallery, and of the queries."""
        hashes = [*self.gallery.content_hashes, *self.queries.content_hashes]
        codes = np.unique(np.array(hashes), return_inverse=True)[1]
        return codes[: len(self.gallery)], codes[len(self.gallery) :]

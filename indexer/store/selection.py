"""The part of the storage protocol that ranks: selections of products, and their best images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from indexer.arrays import Ids, Scores, Vectors
from indexer.store.conditions import Condition
from indexer.store.records import AttributeValue


@dataclass(frozen=True)
class FacetCount:
    """A value of an attribute, and the number of products that have it."""

    value: AttributeValue
    count: int


@dataclass(frozen=True)
class Candidates:
    """The best images of a selection, by descending score.

    Args:
        product_ids: n ids of the products that the images belong to.
        image_ids: (n,).
        scores: (n,) cosines, exact to 1e-7.
        unseen: upper bound of the scores of all other images of the selection; -inf if there are
            none.
    """

    product_ids: Sequence[str]
    image_ids: Ids
    scores: Scores
    unseen: float = -np.inf


class Selection(Protocol):
    """Products of one reader that match conditions. Immutable."""

    @property
    def total(self) -> int:
        """The number of products."""
        ...

    def nearest(self, queries: Vectors, k: int) -> Candidates:
        """Returns the best images by their highest cosine to any of the queries (m, dimension).

        Returns k images, or fewer; the result is complete down to the score `unseen`.
        """
        ...

    def split(
        self, conditions: Sequence[Condition]
    ) -> Sequence[tuple[tuple[bool, ...], "Selection"]]:
        """Partitions the selection by which of the conditions each product matches.

        Returns:
            One pair for each non-empty part: a flag for each condition, and the products.

        Raises:
            BadFilterError: a condition is on an attribute that no product has.
        """
        ...

    def among(self, candidates: Candidates) -> Candidates:
        """Returns the candidates that the selection contains, out of those of all products."""
        ...

    def only(self, product_ids: Sequence[str]) -> "Selection":
        """Restricts the selection to these products, all of which it contains."""
        ...

    @property
    def estimated(self) -> bool:
        """Whether `facet` and `distinct` are estimated from a sample of the products."""
        ...

    def page(self, after: str, limit: int) -> list[str]:
        """Returns the first `limit` ids of products that follow `after`, in code point order."""
        ...

    def facet(self, name: str, limit: int) -> list[FacetCount]:
        """Counts products by value of an attribute; returns the `limit` most frequent values.

        Values that are equal to a filter are counted together, in their most frequent spelling.

        Raises:
            BadParameterError: no product has the attribute, or it has too many distinct values.
        """
        ...

    def distinct(self, name: str) -> int:
        """Counts the groups by an attribute; each product without it is a separate group.

        Raises:
            BadParameterError: no product has the attribute.
        """
        ...

"""Agreement between raters: how far their grades can be trusted."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np


@dataclass(frozen=True)
class Agreement:
    """How well raters agree on what several of them rated.

    Attributes:
        results: number of results that two raters or more rated.
        pairs: number of pairs of their grades.
        equal: share of these pairs that are equal; None without pairs.
        alpha: Krippendorff's alpha for ordered grades: 1 is perfect, 0 what chance would give.
            None if it is undefined, because there are no pairs or all grades are equal.
    """

    results: int
    pairs: int
    equal: float | None
    alpha: float | None

    def sentence(self) -> str:
        """Returns the agreement in words."""
        if self.equal is None:
            return "no result was rated by two raters, so their agreement is unknown"
        alpha = "undefined (all are equal)" if self.alpha is None else f"{self.alpha:.2f}"
        return (
            f"agreement on {self.results:,} results rated by two or more: Krippendorff's alpha"
            f" {alpha}, equal grades {self.equal:.0%} of {self.pairs:,} pairs"
        )


def agreement(units: Iterable[Sequence[int]]) -> Agreement:
    """Computes the agreement.

    Args:
        units: for each result, the grades of its raters: 0, 1, 2, ..., ascending.
    """
    several = [grades for grades in units if len(grades) > 1]
    pairs = [pair for grades in several for pair in combinations(grades, 2)]
    equal = sum(a == b for a, b in pairs) / len(pairs) if pairs else None
    return Agreement(len(several), len(pairs), equal, krippendorff_alpha(several))


def krippendorff_alpha(units: Sequence[Sequence[int]]) -> float | None:
    """Returns Krippendorff's alpha for ordinal data; None if it is undefined.

    K. Krippendorff, "Computing Krippendorff's alpha-reliability" (2011). Unlike kappa it takes any
    number of raters, each of whom may have rated a part, and counts a difference of two grades more
    than one of one grade.

    Args:
        units: for each result, two grades or more.
    """
    size = 1 + max((grade for grades in units for grade in grades), default=0)
    coincidences = np.zeros((size, size))
    for grades in units:
        counts = np.bincount(grades, minlength=size)
        coincidences += (np.outer(counts, counts) - np.diag(counts)) / (len(grades) - 1)
    totals = coincidences.sum(axis=1)
    up_to = totals.cumsum()
    # The grades from one of a pair to the other, of which those at the ends count half.
    between = np.abs(up_to[:, None] - up_to + (totals - totals[:, None]) / 2)
    distances = between**2
    expected = (np.outer(totals, totals) - np.diag(totals)) * distances
    if not expected.sum():
        return None
    observed = coincidences * distances
    return float(1 - (totals.sum() - 1) * observed.sum() / expected.sum())

"""Measures rankings with the judgements of raters, which never cover all products.

Results without a judgement are removed from a ranking before it is measured (condensed lists):
T. Sakai, "Alternatives to bpref" (SIGIR 2007). Counting them as wrong instead would favour the
collections whose results were rated. Where all of the first results are rated, as in a pool of the
measured collections, both are the same.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from indexer.arrays import Ids
from indexer.evaluation.comparison import UNRATED_WRONG
from indexer.evaluation.distances import Metric, scorer
from indexer.evaluation.labels import LabelsError
from indexer.evaluation.measuring import Vectorised
from indexer.evaluation.metrics import (
    Flags,
    Scores,
    Values,
    discounts,
    expected_gains,
    ideal_gain,
)
from indexer.evaluation.results import Means, ModelResult, means
from indexer.evaluation.tasks import PhotoSet

# Grades as gains.
WRONG, SIMILAR, MATCH = 0, 1, 2


@dataclass(frozen=True)
class RatedTask:
    """Queries with rated results, and the gallery that is searched.

    Attributes:
        gallery: what is searched in.
        owners: (r,), ascending: number of the query of each query photo.
        own: (q,), index of the product that is the query, which is excluded; -1 for a photo.
        grades: for each query, the raters' grades by the index of the product.
    """

    gallery: PhotoSet
    owners: Ids
    own: Ids
    grades: Sequence[Mapping[int, Sequence[int]]]

    def scores(self, vectors: Vectorised, metric: Metric) -> Iterator[Scores]:
        """Yields the best score of each product for each query, (1, products)."""
        score = scorer(metric, vectors.gallery)
        for query, own in enumerate(self.own.tolist()):
            photos = score(vectors.queries[self.owners == query]).max(axis=0, keepdims=True)
            products = self.gallery.of_products(photos)
            if own >= 0:
                products[0, own] = -np.inf
            yield products

    @cached_property
    def ordered(self) -> Flags:
        """(q,), whether the rated products of each query differ in gain.

        If they do not, the nDCG of their order is the same for every model: 1, or 0 if all are
        wrong. Such queries would pull the difference between two models towards 0.
        """
        return np.array(
            [len({float(np.mean(each)) for each in of.values()}) > 1 for of in self.grades]
        )


def measure_ratings(
    task: RatedTask,
    models: Sequence[Vectorised],
    distances: Sequence[Metric],
    *,
    k: int,
    seed: int,
) -> list[ModelResult]:
    """Measures every model with every distance.

    nDCG is measured with the queries that are `ordered`, all else with all.

    Args:
        task: at least one query, each with a rated product.
        models: vectors of the photos; the first one is the reference of the others.
        distances: the first one is the reference of the others.
        k: number of results that count as the first page.
        seed: of the intervals.

    Raises:
        LabelsError: no query is `ordered`.
    """
    if not task.ordered.any():
        raise LabelsError(
            "nothing to measure: for each query, all rated products have the same grade; rate more"
        )
    first: dict[str, Values] | None = None
    results: list[ModelResult] = []
    for vectors in models:
        for distance in distances:
            ranked = zip(task.scores(vectors, distance), task.grades, strict=True)
            rows = [rated_measures(scores, grades, k) for scores, grades in ranked]
            values = {name: np.array([row[name] for row in rows]) for name in rows[0]}
            metrics, difference = _means(values, first, task.ordered, seed)
            results.append(ModelResult(vectors.name, distance, metrics, difference))
            first = first or values
    return results


def _means(
    values: Mapping[str, Values], first: Mapping[str, Values] | None, ordered: Flags, seed: int
) -> tuple[Means, Means | None]:
    """Returns the means, and the differences to the first; those of nDCG of some queries."""

    def part(of: Mapping[str, Values], *, of_order: bool) -> dict[str, Values]:
        chosen = ordered if of_order else np.ones_like(ordered)
        return {
            name: each[chosen] for name, each in of.items() if name.startswith("nDCG") == of_order
        }

    metrics: Means = {}
    difference: Means = {}
    for of_order in (True, False):
        before = first and part(first, of_order=of_order)
        found, changed = means(part(values, of_order=of_order), before, seed=seed)
        metrics |= found
        difference |= changed or {}
    return metrics, difference or None


def rated_measures(scores: Scores, grades: Mapping[int, Sequence[int]], k: int) -> dict[str, float]:
    """Returns every metric of one query by name.

    `match` and `similar` are the shares of rated results that match, and that are at least similar;
    with several raters the mean over them, as the gain of nDCG is their mean grade. A query whose
    results are all wrong has nDCG 0. `rated` is the share of the first page that is rated.

    Args:
        scores: (1, products), -inf for a product that is excluded.
        grades: of each rated product, at least one of which is not excluded.
        k: number of results that count as the first page.
    """
    rated = np.array(sorted(grades))
    raters = [np.asarray(grades[product]) for product in rated.tolist()]
    gains = np.array([[each.mean() for each in raters]], np.float32)
    matches = np.array([[(each == MATCH).mean() for each in raters]])
    good = np.array([[(each >= SIMILAR).mean() for each in raters]])
    condensed = scores[:, rated]
    shown = min(k, np.count_nonzero(condensed > -np.inf))
    ideal = float(ideal_gain(condensed, gains, k)[0])

    def on_page(of_rated: np.ndarray) -> float:
        return float(expected_gains(condensed, of_rated, k).sum() / shown)

    in_all = np.zeros(scores.shape, np.float32)
    in_all[:, rated] = gains
    is_rated = np.zeros(scores.shape, np.bool_)
    is_rated[:, rated] = True
    page = min(k, np.count_nonzero(scores > -np.inf))
    return {
        f"nDCG@{k}": _ratio(expected_gains(condensed, gains, k), ideal),
        f"nDCG@{k}{UNRATED_WRONG}": _ratio(expected_gains(scores, in_all, k), ideal),
        f"match@{k}": on_page(matches),
        f"similar@{k}": on_page(good),
        f"rated@{k}": float(expected_gains(scores, is_rated, k).sum() / page),
    }


def _ratio(by_rank: np.ndarray, ideal: float) -> float:
    return float(by_rank[0] @ discounts(by_rank.shape[1])) / ideal if ideal else 0.0

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
from indexer.evaluation.bootstrap import Interval, intervals
from indexer.evaluation.distances import Metric, scorer
from indexer.evaluation.measuring import Vectorised
from indexer.evaluation.metrics import Scores, Values, discounts, expected_gains, ideal_gain
from indexer.evaluation.tasks import Photos

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

    gallery: Photos
    owners: Ids
    own: Ids
    grades: Sequence[Mapping[int, Sequence[int]]]

    def scores(self, vectors: Vectorised, metric: Metric) -> Iterator[Scores]:
        """Yields the best score of each product for each query, (1, products)."""
        score = scorer(metric, vectors.gallery)
        for query, own in enumerate(self.own.tolist()):
            photos = score(vectors.queries[self.owners == query]).max(axis=0)
            products = np.maximum.reduceat(photos, self._starts)[None]
            if own >= 0:
                products[0, own] = -np.inf
            yield products

    @cached_property
    def _starts(self) -> Ids:
        """The first photo of each product."""
        return np.searchsorted(self.gallery.owners, np.arange(len(self.gallery.product_ids)))


@dataclass(frozen=True)
class RatedResult:
    """One model with one distance.

    Attributes:
        name: of the model.
        distance: between vectors.
        metrics: means over the queries, with their intervals.
        difference: to the first result, paired by query; None for the first.
        values: (q,) by name of the metric.
    """

    name: str
    distance: Metric
    metrics: dict[str, Interval]
    difference: dict[str, Interval] | None
    values: dict[str, Values]


def measure_ratings(
    task: RatedTask,
    models: Sequence[Vectorised],
    distances: Sequence[Metric],
    *,
    k: int,
    seed: int,
) -> list[RatedResult]:
    """Measures every model with every distance.

    Args:
        task: at least one query, each with a rated product.
        models: vectors of the photos; the first one is the reference of the others.
        distances: the first one is the reference of the others.
        k: number of results that count as the first page.
        seed: of the intervals.
    """
    results: list[RatedResult] = []
    for vectors in models:
        for distance in distances:
            ranked = zip(task.scores(vectors, distance), task.grades, strict=True)
            rows = [rated_measures(scores, grades, k) for scores, grades in ranked]
            values = {name: np.array([row[name] for row in rows]) for name in rows[0]}
            difference = None
            if results:
                first = results[0].values
                changes = {name: each - first[name] for name, each in values.items()}
                difference = intervals(changes, seed=seed)
            metrics = intervals(values, seed=seed)
            results.append(RatedResult(vectors.name, distance, metrics, difference, values))
    return results


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
        f"nDCG@{k}_unrated_wrong": _ratio(expected_gains(scores, in_all, k), ideal),
        f"match@{k}": on_page(matches),
        f"similar@{k}": on_page(good),
        f"rated@{k}": float(expected_gains(scores, is_rated, k).sum() / page),
    }


def _ratio(by_rank: np.ndarray, ideal: float) -> float:
    return float(by_rank[0] @ discounts(by_rank.shape[1])) / ideal if ideal else 0.0

"""Searches with every query of a task, and measures the rankings."""

from dataclasses import dataclass

import numpy as np

from indexer.arrays import Ids, Vectors
from indexer.evaluation.chance import by_chance
from indexer.evaluation.distances import Metric, scorer
from indexer.evaluation.metrics import Flags, Gains, Scores, Values, blocks, measures
from indexer.evaluation.tasks import Task


@dataclass(frozen=True)
class Vectorised:
    """The vectors of a task's photos by one model.

    Attributes:
        name: of the model, as shown.
        gallery: (photos, dimension).
        queries: (q, dimension).
    """

    name: str
    gallery: Vectors
    queries: Vectors


@dataclass(frozen=True)
class Measured:
    """The results of all queries for which the gallery has a right product, a of q.

    Attributes:
        queries: (a,), their numbers.
        values: (a,) by name of the metric.
        chance: (a,) by name; what a random order would have.
        products: (a, k), index of the first products; -1 beyond the last.
        scores: (a, k), theirs.
        right: (a, k), whether they are right.
        wrong: (a,), score of the best wrong product, on any page; -inf if all are right.
    """

    queries: Ids
    values: dict[str, Values]
    chance: dict[str, Values]
    products: Ids
    scores: Scores
    right: Flags
    wrong: Scores


def measure(task: Task, vectors: Vectorised, metric: Metric, k: int) -> Measured:
    """Searches with every query.

    Args:
        task: queries, gallery and judgements.
        vectors: of the photos.
        metric: the distance.
        k: number of results that count as the first page.
    """
    score = scorer(metric, vectors.gallery)
    parts = []
    for queries in blocks(len(task.queries), len(task.gallery)):
        scores = task.of_products(queries, score(vectors.queries[queries]))
        gains = task.judgements.gains(queries)
        able = ((gains > 0) & (scores > -np.inf)).any(axis=1)
        parts.append(_measured(queries[able], scores[able], gains[able], k))
    return _joined(parts)


def _measured(queries: Ids, scores: Scores, gains: Gains, k: int) -> Measured:
    products = np.full((len(queries), k), -1)
    shown = min(k, scores.shape[1])
    first = np.sort(np.argpartition(-scores, shown - 1, axis=1)[:, :shown], axis=1)
    order = np.argsort(-np.take_along_axis(scores, first, axis=1), axis=1, kind="stable")
    products[:, :shown] = np.take_along_axis(first, order, axis=1)
    found = np.take_along_axis(scores, products, axis=1)
    found[products < 0] = -np.inf
    products[found == -np.inf] = -1
    right = (np.take_along_axis(gains, products, axis=1) > 0) & (products >= 0)
    values, chance = measures(scores, gains, k), by_chance(scores, gains, k)
    wrong = np.where(gains > 0, -np.inf, scores).max(axis=1)
    return Measured(queries, values, chance, products, found, right, wrong)


def _joined(parts: list[Measured]) -> Measured:
    def joined(name: str) -> np.ndarray:
        return np.concatenate([getattr(part, name) for part in parts])

    def tables(name: str) -> dict[str, Values]:
        first: dict[str, Values] = getattr(parts[0], name)
        return {each: np.concatenate([getattr(p, name)[each] for p in parts]) for each in first}

    return Measured(
        joined("queries"),
        tables("values"),
        tables("chance"),
        joined("products"),
        joined("scores"),
        joined("right"),
        joined("wrong"),
    )

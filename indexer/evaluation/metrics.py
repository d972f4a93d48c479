"""Ranking metrics of many queries at once, from scores and gains.

A block of queries is two arrays (queries, products): `scores`, higher is closer and -inf for a
product that is excluded from the query's results; and `gains`, 0 for a wrong product and above 0
for a right one (a grade, or 1). Each function returns one value per query; a metric is their mean.

Equal scores are in random order, and every value is the expected one over these orders, so that
distances with few values are measured without bias. F. McSherry and M. Najork, "Computing
information retrieval performance measures efficiently in the presence of tied scores" (ECIR 2008).
"""

import numpy as np
from numpy.typing import NDArray

from indexer.arrays import Ids, Vectors

Scores = NDArray[np.float32]  # (queries, products)
Gains = NDArray[np.float32]  # (queries, products)
Flags = NDArray[np.bool_]
Values = NDArray[np.float64]  # (queries,)

_BLOCK_CELLS = 2**23  # scores in memory at a time


def nearest_is_right(vectors: Vectors, labels: Ids, groups: Ids | None = None) -> Values:
    """Leave-one-out precision@1: whether the nearest row of another group has the same label.

    Args:
        vectors: (n, dimension).
        labels: (n,), equal numbers for equal labels.
        groups: (n,), such as the product of each photo; None puts every row in its own.

    Returns:
        (n,), 0 or 1, and between them for equal scores; 0 where no other group has the label.
    """
    groups = np.arange(len(vectors)) if groups is None else groups
    right = np.empty(len(vectors))
    for rows in blocks(len(vectors), len(vectors)):
        scores = vectors[rows] @ vectors.T
        scores[groups[rows, None] == groups] = -np.inf
        right[rows] = expected_gains(scores, labels[rows, None] == labels, 1)[:, 0]
    return right


def measures(scores: Scores, gains: Gains, k: int) -> dict[str, Values]:
    """Returns every metric of a block of queries by name.

    `hit_rate` is the share of queries with any right product among the first `k`: the Recall@k of
    metric learning. `recall` is the share of all right products that are among them.
    """
    right = (gains > 0) & (scores > -np.inf)
    by_rank = expected_gains(scores, right, k)
    graded = by_rank if np.array_equal(gains > 0, gains) else expected_gains(scores, gains, k)
    ideal = ideal_gain(scores, gains, k)
    reached = graded @ discounts(k)
    return {
        "precision@1": by_rank[:, 0],
        f"precision@{k}": by_rank.mean(axis=1),
        f"hit_rate@{k}": hit_rate(scores, right, k),
        f"recall@{k}": by_rank.sum(axis=1) / np.maximum(1, right.sum(axis=1)),
        "mAP": average_precision(scores, right),
        f"nDCG@{k}": np.divide(reached, ideal, out=np.zeros(len(scores)), where=ideal > 0),
    }


def blocks(queries: int, columns: int) -> list[Ids]:
    """Splits the numbers of the queries so that a block of scores takes little memory."""
    size = max(1, _BLOCK_CELLS // max(1, columns))
    return [np.arange(start, min(start + size, queries)) for start in range(0, queries, size)]


def expected_gains(scores: Scores, gains: Gains | Flags, k: int) -> NDArray[np.float64]:
    """Returns the gain expected at each of the first `k` ranks: (queries, k).

    Ranks beyond the last product have gain 0.
    """
    result = np.zeros((len(scores), k))
    ranks = min(k, scores.shape[1])
    if not ranks:
        return result
    lowest = np.partition(scores, -ranks, axis=1)[:, -ranks]
    for row, all_scores in enumerate(scores):
        first = np.flatnonzero((all_scores >= lowest[row]) & (all_scores > -np.inf))
        _, tied, sizes = np.unique(-all_scores[first], return_inverse=True, return_counts=True)
        means = np.bincount(tied, gains[row, first], len(sizes)) / sizes
        by_rank = np.repeat(means, sizes)[:k]
        result[row, : len(by_rank)] = by_rank
    return result


def hit_rate(scores: Scores, right: Flags, k: int) -> Values:
    """Returns the probability that any right product is among the first `k`."""
    best = np.where(right, scores, -np.inf).max(axis=1, initial=-np.inf)[:, None]
    above = np.count_nonzero(scores > best, axis=1)
    tied = np.count_nonzero(scores == best, axis=1)
    wrong = np.count_nonzero((scores == best) & ~right, axis=1)
    missed = np.ones(len(scores))
    # Of the products tied with the best right one, only wrong ones are drawn for the places left.
    for place in range(k):
        drawn = np.maximum(0, wrong - place) / np.maximum(1, tied - place)
        missed *= np.where(above + place < k, drawn, 1)
    return np.where(right.any(axis=1), 1 - missed, 0.0)


def average_precision(scores: Scores, right: Flags) -> Values:
    """Returns the mean, over all right products, of the precision down to each; 0 without any.

    The mean over queries is mAP. Equal scores count as one step, as in scikit-learn's
    `average_precision_score`.
    """
    result = np.zeros(len(scores))
    for row, (all_scores, flags) in enumerate(zip(scores, right, strict=True)):
        found = np.sort(all_scores[flags])
        if len(found):
            shown_down_to = len(all_scores) - np.searchsorted(np.sort(all_scores), found)
            right_down_to = len(found) - np.searchsorted(found, found)
            result[row] = np.mean(right_down_to / shown_down_to)
    return result


def ideal_gain(scores: Scores, gains: Gains, k: int) -> Values:
    """Returns the discounted cumulative gain of the best order of the first `k`.

    nDCG is relative to it. K. Järvelin and J. Kekäläinen, "Cumulated gain-based evaluation of IR
    techniques" (2002), with grades as gains and the discount 1 / log2(rank + 1).
    """
    ranks = min(k, gains.shape[1])
    if not ranks:
        return np.zeros(len(gains))
    losses = -np.where(scores > -np.inf, gains, 0)
    best = -np.sort(np.partition(losses, ranks - 1, axis=1)[:, :ranks], axis=1)
    return np.asarray(best @ discounts(ranks))


def discounts(k: int) -> NDArray[np.float64]:
    """Returns the discounts of the first `k` ranks."""
    return np.asarray(1 / np.log2(np.arange(2, k + 2)))

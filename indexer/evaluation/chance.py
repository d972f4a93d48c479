"""The metrics that a random order of the results would have: exact, from counts."""

import numpy as np

from indexer.evaluation.metrics import Gains, Scores, Values, discounts, ideal_gain


def by_chance(scores: Scores, gains: Gains, k: int) -> dict[str, Values]:
    """Returns the expected values of `measures` if the products were in random order.

    Y. Bestgen, "Exact expected average precision of the random baseline for system evaluation"
    (2015).
    """
    candidates = scores > -np.inf
    total = np.maximum(1, np.count_nonzero(candidates, axis=1))
    right = np.count_nonzero((gains > 0) & candidates, axis=1)
    shown = np.minimum(k, total)
    share = right / total
    ideal = ideal_gain(scores, gains, k)
    mean_gain = np.where(candidates, gains, 0).sum(axis=1) / total
    discounted = np.concatenate([[0], discounts(k).cumsum()])[shown]
    return {
        "precision@1": share,
        f"precision@{k}": share * shown / k,
        f"hit_rate@{k}": 1 - _all_wrong(total, right, k),
        f"recall@{k}": np.where(right > 0, shown / total, 0),
        "mAP": _average_precision(total, right),
        f"nDCG@{k}": mean_gain * discounted / np.where(ideal > 0, ideal, 1),
    }


def _all_wrong(total: np.ndarray, right: np.ndarray, k: int) -> Values:
    places = np.arange(k)
    wrong = np.maximum(0, (total - right)[:, None] - places)
    # Beyond the last product nothing is drawn; if there was a right one, a 0 came before.
    drawn = np.where(places < total[:, None], wrong / np.maximum(1, total[:, None] - places), 1)
    return np.asarray(drawn.prod(axis=1))


def _average_precision(total: np.ndarray, right: np.ndarray) -> Values:
    harmonic = np.concatenate([[0], (1 / np.arange(1, total.max(initial=0) + 1)).cumsum()])[total]
    others = (right - 1) / np.maximum(1, total - 1)
    return np.where(right > 0, (others * (total - harmonic) + harmonic) / total, 0)

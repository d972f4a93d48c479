"""Metrics against scikit-learn, SciPy, and all orders of equal scores."""

from itertools import permutations

import numpy as np
import pytest
from scipy.stats import bootstrap
from sklearn.metrics import average_precision_score, ndcg_score
from sklearn.neighbors import NearestNeighbors

from indexer.arrays import Ids, normalised
from indexer.evaluation.bootstrap import Interval, intervals
from indexer.evaluation.chance import by_chance
from indexer.evaluation.metrics import Gains, Scores, Values, measures, nearest_is_right

RANDOM = np.random.RandomState(3)
VECTORS = normalised(RANDOM.standard_normal((300, 24)))
LABELS = RANDOM.randint(0, 5, 300)
SCORES = (VECTORS[:40] @ VECTORS[40:].T).astype(np.float32)
GRADES = RANDOM.randint(0, 4, SCORES.shape).astype(np.float32)
TIED = (SCORES * 5).round()


def test_nearest_is_right_equals_scikit_learn() -> None:
    found = NearestNeighbors(n_neighbors=2, metric="cosine", algorithm="brute").fit(VECTORS)
    nearest = found.kneighbors(VECTORS, return_distance=False)[:, 1]
    right = LABELS[nearest] == LABELS
    assert nearest_is_right(VECTORS, LABELS).tolist() == right.tolist()


def test_rows_of_a_group_do_not_find_each_other() -> None:
    vectors = np.eye(4, dtype=np.float32)[[0, 0, 1, 1]]
    labels = np.array([0, 0, 1, 1])
    assert nearest_is_right(vectors, labels).tolist() == [1, 1, 1, 1]
    assert nearest_is_right(vectors, labels, np.array([5, 5, 6, 6])).tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("scores", [SCORES, TIED], ids=["distinct", "tied"])
def test_average_precision_and_ndcg_equal_scikit_learn(scores: Scores) -> None:
    found = measures(scores, GRADES, 10)
    assert found["nDCG@10"].mean() == pytest.approx(ndcg_score(GRADES, scores, k=10), abs=1e-6)
    for row, value in enumerate(found["mAP"]):
        expected = average_precision_score(GRADES[row] > 0, scores[row])
        assert value == pytest.approx(expected, abs=1e-9)


def of_order(gains: Gains, k: int) -> dict[str, float]:
    """The metrics of one query whose results are in order."""
    right = gains > 0
    number = max(1, right.sum())
    precisions = right.cumsum() / np.arange(1, len(right) + 1)
    discounts = 1 / np.log2(np.arange(2, k + 2))
    ideal = (-np.sort(-gains)[:k] * discounts[: len(gains)]).sum()
    return {
        "precision@1": float(right[0]),
        f"precision@{k}": right[:k].sum() / k,
        f"hit_rate@{k}": float(right[:k].any()),
        f"recall@{k}": right[:k].sum() / number,
        "mAP": precisions[right].sum() / number,
        f"nDCG@{k}": (gains[:k] * discounts[: len(gains)]).sum() / ideal if ideal else 0.0,
    }


@pytest.mark.parametrize("k", [1, 2, 4, 8])
def test_equal_scores_count_as_the_mean_of_all_their_orders(k: int) -> None:
    scores = RANDOM.randint(0, 3, (20, 6)).astype(np.float32)
    gains = RANDOM.randint(0, 3, scores.shape).astype(np.float32)
    found = measures(scores, gains, k)
    found.pop("mAP")  # equal scores are one step of it
    for name, values in found.items():
        for row, value in enumerate(values):
            orders = [np.array(order) for order in permutations(range(6))]
            orders = [order for order in orders if (np.diff(scores[row, order]) <= 0).all()]
            expected = np.mean([of_order(gains[row, order], k)[name] for order in orders])
            assert value == pytest.approx(expected), name


@pytest.mark.parametrize("k", [1, 3, 8])
def test_chance_is_the_mean_of_all_orders(k: int) -> None:
    gains = RANDOM.randint(0, 3, (6, 6)).astype(np.float32)
    scores = np.zeros_like(gains)
    scores[:, 0] = -np.inf
    for name, values in by_chance(scores, gains, k).items():
        for row, value in enumerate(values):
            orders = permutations(gains[row, 1:])
            expected = np.mean([of_order(np.array(order), k)[name] for order in orders])
            assert value == pytest.approx(expected), name


def test_an_excluded_product_is_neither_found_nor_missed() -> None:
    scores = np.array([[-np.inf, 0.9, 0.8, -np.inf]], np.float32)
    gains = np.array([[1, 0, 1, 1]], np.float32)
    assert measures(scores, gains, 4) == {
        "precision@1": [0],
        "precision@4": [0.25],
        "hit_rate@4": [1],
        "recall@4": [1],
        "mAP": [0.5],
        "nDCG@4": pytest.approx([1 / np.log2(3)]),
    }


def test_a_query_with_nothing_right_has_zero_everywhere() -> None:
    nothing = np.zeros_like(SCORES[:1])
    for found in measures(SCORES[:1], nothing, 5), by_chance(SCORES[:1], nothing, 5):
        assert [values.tolist() for values in found.values()] == [[0]] * 6


def interval(values: Values, groups: Ids | None = None, seed: int = 0) -> Interval:
    return intervals({"": values}, groups, seed=seed)[""]


def test_an_interval_equals_that_of_scipy() -> None:
    values = RANDOM.uniform(size=400)
    ours = interval(values, seed=1)
    theirs = bootstrap((values,), np.mean, method="percentile", rng=2).confidence_interval
    assert ours.value == values.mean()
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.003)
    assert interval(values, seed=1) == ours


def test_a_paired_difference_is_far_narrower_than_the_intervals() -> None:
    before = RANDOM.uniform(size=400)
    found = interval((before - 0.01) - before)
    assert (found.value, found.low, found.high) == pytest.approx((-0.01, -0.01, -0.01))


def test_queries_of_a_group_are_drawn_together() -> None:
    values = np.repeat(RANDOM.uniform(size=50), 8)
    alone, together = interval(values), interval(values, np.repeat(np.arange(50), 8))
    assert together.value == alone.value
    assert together.high - together.low > 2 * (alone.high - alone.low)
    both = intervals({"a": values, "b": 1 - values})
    assert (both["a"].low, both["b"].high) == pytest.approx((alone.low, 1 - alone.low))

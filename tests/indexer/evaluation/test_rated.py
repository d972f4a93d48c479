"""Measuring with judgements that cover a part of the products; agreement between raters."""

from collections.abc import Mapping, Sequence
from itertools import permutations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from indexer.arrays import normalised
from indexer.evaluation.agreement import agreement, krippendorff_alpha
from indexer.evaluation.labels import LabelsError
from indexer.evaluation.measuring import Vectorised
from indexer.evaluation.rated import (
    MATCH,
    SIMILAR,
    WRONG,
    RatedTask,
    measure_ratings,
    rated_measures,
)
from indexer.evaluation.tasks import PhotoSet
from indexer.events import GRADES

UNITS = st.lists(st.lists(st.integers(0, 2), min_size=2, max_size=4), min_size=1, max_size=12)


def test_alpha_is_that_of_the_published_example() -> None:
    """The data and the value 0.815 are of Krippendorff (2011), part C."""
    table = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
        [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
    ]
    units = [[grade for grade in column if grade] for column in zip(*table, strict=True)]
    found = agreement(units)
    assert found.alpha == pytest.approx(0.815, abs=0.0005)
    assert found.results == 11  # one was rated by one rater only


def by_definition(units: Sequence[Sequence[int]]) -> float:
    """Alpha from all pairs of grades, one by one."""
    grades = [grade for unit in units for grade in unit]

    def distance(a: int, b: int) -> float:
        low, high = min(a, b), max(a, b)
        between = sum(low <= grade <= high for grade in grades)
        return (between - (grades.count(a) + grades.count(b)) / 2) ** 2

    within = sum(distance(a, b) / (len(u) - 1) for u in units for a, b in permutations(u, 2))
    between = sum(distance(a, b) for a, b in permutations(grades, 2)) / (len(grades) - 1)
    return 1 - within / between


@given(UNITS)
def test_alpha_is_that_of_its_definition(units: list[list[int]]) -> None:
    alpha = krippendorff_alpha(units)
    if len({grade for unit in units for grade in unit}) == 1:
        assert alpha is None
    else:
        assert alpha == pytest.approx(by_definition(units))
        assert alpha == pytest.approx(krippendorff_alpha([unit[::-1] for unit in units[::-1]]))


def test_raters_who_always_agree_have_1_and_a_far_grade_costs_more_than_a_near_one() -> None:
    equal = [[WRONG] * 2, [SIMILAR] * 2, [MATCH] * 2] * 3
    assert agreement(equal).alpha == pytest.approx(1)
    near, far = (krippendorff_alpha([*equal, [WRONG, grade]]) for grade in (SIMILAR, MATCH))
    assert near is not None
    assert far is not None
    assert far < near < 1


def test_without_pairs_agreement_is_unknown_and_says_so() -> None:
    alone = agreement([[MATCH], [WRONG]])
    assert (alone.results, alone.pairs, alone.equal, alone.alpha) == (0, 0, None, None)
    assert "unknown" in alone.sentence()
    same = agreement([[MATCH, MATCH]])
    assert (same.equal, same.alpha) == (1, None)
    assert "undefined" in same.sentence()


def test_the_gains_are_those_of_the_stored_grades() -> None:
    assert [GRADES.index(grade) for grade in ("wrong", "similar", "match")] == [
        WRONG,
        SIMILAR,
        MATCH,
    ]


def measured(
    scores: Sequence[float], grades: Mapping[int, Sequence[int]], k: int
) -> dict[str, float]:
    return rated_measures(np.array([scores], np.float32), grades, k)


GRADED = st.dictionaries(
    st.integers(0, 11), st.lists(st.integers(0, 2), min_size=1, max_size=3), min_size=2
)


@given(st.permutations(range(12)), GRADED, st.integers(1, 12))
def test_metrics_are_those_of_the_ranking_without_its_unrated_products(
    ranking: list[int], grades: dict[int, list[int]], k: int
) -> None:
    assume(any(any(each) for each in grades.values()))
    scores = np.array([-ranking.index(product) for product in range(12)], np.float64)
    found = measured(list(scores), grades, k)
    rated = sorted(grades, key=ranking.index)
    gains = {product: np.mean(grades[product]) for product in rated}
    expected = ndcg_score(
        [[gains[product] for product in sorted(gains)]], [scores[sorted(gains)]], k=k
    )
    assert found[f"nDCG@{k}"] == pytest.approx(expected)
    first = rated[:k]
    matches = [np.mean([grade == MATCH for grade in grades[product]]) for product in first]
    good = [np.mean([grade >= SIMILAR for grade in grades[product]]) for product in first]
    assert found[f"match@{k}"] == pytest.approx(np.mean(matches))
    assert found[f"similar@{k}"] == pytest.approx(np.mean(good))
    assert found[f"rated@{k}"] == pytest.approx(np.mean([p in grades for p in ranking[:k]]))
    assert found[f"nDCG@{k}_unrated_wrong"] <= found[f"nDCG@{k}"] + 1e-9


def test_where_the_first_page_is_rated_unrated_products_change_nothing() -> None:
    grades = {0: [MATCH], 1: [WRONG], 2: [SIMILAR, MATCH]}
    few, many = measured([3, 2, 1], grades, 3), measured([3, 2, 1, *([0.5] * 9)], grades, 3)
    assert few == many
    assert few["nDCG@3"] == few["nDCG@3_unrated_wrong"]
    assert few["rated@3"] == 1


def test_queries_whose_results_have_one_grade_do_not_count_in_ndcg() -> None:
    vectors = normalised(np.random.RandomState(0).standard_normal((6, 8)))
    places = [str(place) for place in range(6)]
    gallery = PhotoSet(places, np.arange(6), places, places, [None] * 6)
    told: dict[int, list[int]] = {1: [MATCH], 2: [WRONG], 3: [SIMILAR, WRONG]}
    equal: dict[int, list[int]] = {2: [MATCH, WRONG], 4: [SIMILAR]}
    tasks = [
        RatedTask(gallery, np.arange(len(grades)), np.arange(len(grades)), grades)
        for grades in ([told], [told, equal], [equal])
    ]
    alone, both = (
        measure_ratings(
            task,
            [
                Vectorised("a", vectors, vectors[: len(task.grades)]),
                Vectorised("b", -vectors[::-1], vectors[: len(task.grades)]),
            ],
            ["cosine"],
            k=3,
            seed=0,
        )
        for task in tasks[:2]
    )
    assert both[0].metrics["nDCG@3"] == alone[0].metrics["nDCG@3"]
    assert both[1].difference is not None
    assert alone[1].difference is not None
    assert both[1].difference["nDCG@3"] == alone[1].difference["nDCG@3"]
    assert both[0].metrics["match@3"] != alone[0].metrics["match@3"]
    with pytest.raises(LabelsError, match="all rated products have the same grade"):
        measure_ratings(tasks[2], [Vectorised("a", vectors, vectors[:1])], ["cosine"], k=3, seed=0)


def test_the_query_itself_does_not_count() -> None:
    found = measured([-np.inf, 2, 1], {1: [MATCH], 2: [WRONG]}, 2)
    assert (found["nDCG@2"], found["match@2"], found["rated@2"]) == (1, 0.5, 1)


def test_a_query_for_which_all_is_wrong_has_found_nothing() -> None:
    found = measured([2, 1], {0: [WRONG], 1: [WRONG]}, 2)
    assert (found["nDCG@2"], found["similar@2"], found["rated@2"]) == (0, 0, 1)

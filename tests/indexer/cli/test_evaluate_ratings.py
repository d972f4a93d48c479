"""`evaluate --ratings`: from the judgements of raters to metrics and a verdict."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import pytest

from indexer.events import Grade, RatedQuery, Rating, RatingStore
from tests.indexer.cli.conftest import Shop
from tests.indexer.cli.test_evaluate import (
    ENOUGH,
    _models,  # noqa: F401  # `weights=blind`, for all tests
)

PRODUCTS = {
    "red/a": (250, 10, 10),
    "red/b": (250, 30, 10),
    "red/c": (250, 10, 50),
    "green/a": (10, 250, 10),
    "blue/a": (10, 10, 250),
    "blue/b": (40, 10, 250),
}


@pytest.fixture
def rated(shop: Shop) -> Shop:
    """A collection whose reds match reds and whose blues match blues."""
    assert shop.run("add", shop.feed(PRODUCTS)).code == 0
    for query in ("red/a", "red/b", "blue/a"):
        others = [product for product in PRODUCTS if product != query]
        rate(shop, query, {p: "match" if p[:3] == query[:3] else "wrong" for p in others})
    return shop


def rate(shop: Shop, query: str, grades: Mapping[str, Grade], rater: str = "ab") -> None:
    of = RatedQuery("photo" if len(query) == 64 else "product", query)
    store = RatingStore(shop.data_dir)
    store.add([Rating(of, product, rater, grade, 1_000) for product, grade in grades.items()])
    store.close()


def evaluated(shop: Shop, *arguments: object) -> Any:
    ran = shop.run("evaluate", "--ratings", "--json", *arguments)
    assert ran.code == 0, ran.err
    return ran.json


def value(document: Any, metric: str, result: int = 0) -> float:
    found: float = document["results"][result]["metrics"][metric]["value"]
    return found


def test_a_collection_is_measured_by_what_people_rated(rated: Shop) -> None:
    document = evaluated(rated, "-k", "2")
    assert (document["queries"], document["ratings"], document["raters"]) == (3, 15, 1)
    assert value(document, "nDCG@2") == value(document, "rated@2") == 1
    assert value(document, "match@2") == round((2 + 2 + 1) / 6, 4)
    text = rated.run("evaluate", "--ratings").out
    for part in ("3 queries in collection default; ratings: 15, raters: 1", "unknown", "nDCG@10"):
        assert part in text


COMPARED = ("evaluate", "--ratings", "--compare", "current", "weights=blind")


def test_a_model_that_sees_less_is_a_regression(shop: Shop) -> None:
    assert shop.run("add", shop.feed(ENOUGH)).code == 0
    for query in ENOUGH:
        others = [product for product in ENOUGH if product != query]
        rate(shop, query, {p: "match" if p[:3] == query[:3] else "wrong" for p in others})
    ran = shop.run(*COMPARED, "--json")
    assert ran.code == 1
    assert ran.json["comparison"]["outcome"] == "regression"
    assert value(ran.json, "nDCG@10") > value(ran.json, "nDCG@10", result=1)
    assert "regression: nDCG@10 -" in shop.run(*COMPARED).out


def test_few_rated_queries_give_no_verdict(rated: Shop) -> None:
    ran = rated.run(*COMPARED)
    assert ran.code == 1
    assert "undecided: queries measured: 3, needed: 30" in ran.out


def test_a_verdict_that_unrated_results_could_turn_is_not_given(shop: Shop) -> None:
    blues = [f"blue/{n:02}" for n in range(32)]
    colours = {name: (0, 0, 250 - n) for n, name in enumerate(blues)}
    assert shop.run("add", shop.feed({**colours, "red": (250, 0, 0)})).code == 0
    # Both models rank these two right; the blind one, for which all are equal, after others.
    for query, near in zip(blues, blues[1:] + blues[:1], strict=True):
        rate(shop, query, {near: "match", "red": "wrong"})
    ran = shop.run(*COMPARED, "--json")
    assert (ran.code, ran.json["comparison"]["outcome"]) == (1, "undecided")
    assert ran.json["comparison"]["if_unrated_wrong"]["high"] < 0
    out = shop.run(*COMPARED).out
    assert "undecided: results without a rating could turn the verdict" in out
    assert "if these results are wrong: nDCG@10 -" in out


def test_agreement_is_reported_and_raters_are_averaged(rated: Shop) -> None:
    rate(rated, "red/a", {"red/b": "similar", "red/c": "match", "green/a": "wrong"}, "cd")
    document = evaluated(rated, "-k", "1")
    agreement = document["agreement"]
    assert (agreement["results"], agreement["pairs"]) == (3, 3)
    assert agreement["equal"] == round(2 / 3, 4)
    assert 0 < agreement["alpha"] < 1
    assert value(document, "match@1") == round((0.5 + 1 + 1) / 3, 4)
    assert "Krippendorff's alpha 0." in rated.run("evaluate", "--ratings").out


def test_results_that_nobody_rated_are_reported(rated: Shop) -> None:
    rate(rated, "green/a", {"red/a": "wrong", "blue/b": "match"})
    document = evaluated(rated, "-k", "2")
    assert document["queries"] == 4
    assert value(document, "rated@2") < 0.95
    assert (
        "of the first page is rated; if the rest is wrong, nDCG@10 is 0."
        in rated.run("evaluate", "--ratings").out
    )


def test_queries_whose_results_have_one_grade_are_left_out_of_ndcg_and_counted(
    rated: Shop,
) -> None:
    rate(rated, "green/a", {"red/a": "wrong"})
    document = evaluated(rated)
    assert (document["queries"], document["same_grade"]) == (4, 1)
    assert value(document, "nDCG@10") == 1
    assert (
        "all their rated products have the same grade: 1" in rated.run("evaluate", "--ratings").out
    )


def test_a_rated_photo_is_measured_if_its_file_is_there(rated: Shop) -> None:
    photo = rated.photo("queries/street.png", (245, 20, 15))
    digest = sha256(photo.read_bytes()).hexdigest()
    rate(rated, digest, {"red/a": "match", "red/c": "match", "blue/a": "wrong"})
    without = evaluated(rated)
    assert (without["queries"], without["rated_queries"], without["without_file"]) == (3, 4, 1)
    found = evaluated(rated, "--photos", rated.folder / "queries", "-k", "3")
    assert (found["queries"], found["without_file"]) == (4, 0)
    assert value(found, "nDCG@3") == 1


def test_what_was_rated_and_is_gone_is_left_out_and_named(rated: Shop) -> None:
    rate(rated, "sold-out", {"red/a": "match"})
    rate(rated, "red/c", {"sold-out": "match"})
    document = evaluated(rated)
    assert (document["queries"], document["rated_queries"]) == (3, 5)
    assert document["missing"] == ["sold-out"]


@pytest.mark.parametrize(
    "wrong",
    [
        ["--ratings", "--label", "category"],
        ["--ratings", "--queries", "queries.csv"],
        ["--ratings", "--report", "report.html"],
        ["--photos", "."],
    ],
)
def test_options_that_do_not_go_together_are_refused(rated: Shop, wrong: list[str]) -> None:
    assert rated.run("evaluate", *wrong).code == 2


def test_without_ratings_the_page_is_named(shop: Shop) -> None:
    shop.run("add", shop.feed(PRODUCTS))
    refused = shop.run("evaluate", "--ratings")
    assert refused.code == 1
    assert "make some on the page /rate" in refused.err

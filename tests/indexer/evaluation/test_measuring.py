"""Distances against SciPy, exclusions, and the proposal for a minimum score."""

from collections.abc import Sequence

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from indexer.arrays import normalised
from indexer.evaluation.classes import by_class
from indexer.evaluation.distances import scorer
from indexer.evaluation.evaluation import measure_models
from indexer.evaluation.labels import LabelsError, labelled_feed
from indexer.evaluation.measuring import Vectorised, measure
from indexer.evaluation.tasks import Grades, PhotoSet, SameLabel, Task
from indexer.evaluation.threshold import propose
from indexer.feeds import FeedRow, ImageRef

RANDOM = np.random.RandomState(5)
VECTORS = normalised(RANDOM.standard_normal((400, 32)))


def photos(owners: Sequence[int], hashes: Sequence[str] | None = None) -> PhotoSet:
    places = [str(place) for place in range(len(owners))]
    ids = [f"product {product}" for product in range(max(owners) + 1)]
    return PhotoSet(ids, np.array(owners), places, hashes or places, [None] * len(owners))


def by_label(labels: Sequence[int], gallery: PhotoSet) -> Task:
    names = [f"label {label}" for label in range(max(labels) + 1)]
    of_products = np.array(labels)
    judgements = SameLabel(names, of_products[gallery.owners], of_products)
    return Task(gallery, gallery, np.arange(len(gallery)), judgements)


@pytest.mark.parametrize(
    ("metric", "name"), [("l2", "euclidean"), ("l1", "cityblock"), ("cosine", "cosine")]
)
def test_scores_are_the_distances_of_scipy(metric: str, name: str) -> None:
    scores = scorer(metric, VECTORS)(VECTORS[:20])  # type: ignore[arg-type]
    distances = cdist(VECTORS[:20], VECTORS, name)
    expected = 1 - distances if metric == "cosine" else -distances
    assert scores == pytest.approx(expected, abs=1e-3)


def test_hamming_counts_equal_bits_above_the_median() -> None:
    bits = np.median(VECTORS, axis=0) < VECTORS
    expected = 32 * (1 - cdist(bits[:20], bits, "hamming"))
    assert scorer("hamming", VECTORS)(VECTORS[:20]) == pytest.approx(expected)


def test_a_product_has_the_score_of_its_best_photo_and_copies_do_not_count() -> None:
    vectors = np.eye(4, dtype=np.float32)[[0, 1, 0, 2, 1]]
    gallery = photos([0, 0, 1, 2, 2], ["a", "b", "a", "c", "d"])
    measured = measure(
        by_label([0, 0, 0], gallery), Vectorised("", vectors, vectors), "cosine", k=3
    )
    # Photo 0 has a copy in product 1; photo 1 is like the second photo of product 2.
    assert measured.scores[:, 0].tolist() == [0, 1, 0, 0, 1]
    assert measured.products[1].tolist() == [2, 1, -1]


def test_queries_without_a_right_product_are_left_out() -> None:
    gallery = photos(range(5))
    vectors = VECTORS[:5]
    measured = measure(
        by_label([0, 0, 1, 2, 2], gallery), Vectorised("", vectors, vectors), "cosine", k=2
    )
    assert measured.queries.tolist() == [0, 1, 3, 4]
    alone = by_label(range(5), gallery)
    with pytest.raises(LabelsError, match="nothing to measure"):
        measure_models(alone, [Vectorised("", vectors, vectors)], ["cosine"], k=2, seed=0)


def test_confused_labels_are_counted() -> None:
    angles = np.array([0, 1, 2, 3, 40, 90, 91])
    vectors = np.stack([np.cos(np.radians(angles)), np.sin(np.radians(angles))], axis=1)
    task = by_label([0, 0, 0, 1, 1, 2, 2], photos(range(7)))
    measured = measure(
        task, Vectorised("", vectors.astype("f4"), vectors.astype("f4")), "cosine", k=1
    )
    assert isinstance(task.judgements, SameLabel)
    worst, *_, best = by_class(task.judgements, measured)
    assert (worst.label, worst.queries, worst.precision_at_1) == ("label 1", 2, 0.5)
    assert worst.confused_with == [("label 0", 1)]
    assert (best.label, best.precision_at_1, best.confused_with) == ("label 2", 1, [])


def test_products_without_photos_are_counted_apart_from_those_without_a_label() -> None:
    def row(product_id: str, label: str, photos: int) -> FeedRow:
        images = (ImageRef(product_id, product_id),) * photos
        return FeedRow(product_id, {"kind": label} if label else {}, images, None, "")

    rows = [row("a", "x", 1), row("b", "x", 0), row("c", "", 1), row("d", "", 0)]
    labelled, _ = labelled_feed(rows, "kind")
    assert (labelled.photos.product_ids, labelled.unlabelled) == (["a"], 2)
    assert labelled.without_photos == 1
    with pytest.raises(LabelsError, match="none of the 1 products with a label has a photo"):
        labelled_feed(rows[1:], "kind")


def threshold_task(right: Sequence[bool]) -> tuple[Task, Vectorised]:
    """Queries with one result each, of falling score; those that are right."""
    number = len(right)
    angles = np.radians(np.linspace(5, 80, number))
    queries = np.zeros((number, 2 * number), np.float32)
    gallery = np.zeros((number, 2 * number), np.float32)
    for place, angle in enumerate(angles):
        queries[place, 2 * place] = 1
        gallery[place, 2 * place : 2 * place + 2] = np.cos(angle), np.sin(angle)
    grades = [{place if good else (place + 1) % number: 1.0} for place, good in enumerate(right)]
    task = Task(
        photos(range(number)), photos(range(number), ["q"] * number), None, Grades(grades, number)
    )
    return task, Vectorised("", gallery, queries)


def test_without_its_right_product_a_query_counts_by_its_best_wrong_one_on_any_page() -> None:
    task, vectors = threshold_task([True] * 200)
    found = propose(measure(task, vectors, "cosine", k=1), depth=1)
    assert (
        found.answered_wrong == 1
    )  # all wrong products have a score of 0, and no limit is proposed


def test_the_minimum_score_is_the_lowest_with_nine_of_ten_right() -> None:
    right = [number < 180 for number in range(400)]
    task, vectors = threshold_task(right)
    found = propose(measure(task, vectors, "cosine", k=1), depth=1)
    assert found.score is not None
    kept = np.cos(np.radians(np.linspace(5, 80, 400))) >= found.score
    assert kept.sum() in (199, 200)  # 180 of them are right
    assert found.right == pytest.approx(180 / kept.sum())
    assert found.answered == pytest.approx(kept.mean())
    # The other queries still have their wrong product, whose score is as high.
    assert found.answered_wrong == pytest.approx((kept.sum() - 180) / 400)
    assert found.curve[0].answered == 1
    assert found.curve[-1].right == 1


@pytest.mark.parametrize(
    ("right", "reason"),
    [
        ([True] * 200, "of all results are right without a minimum score"),
        ([False] * 100 + [True] * 100, "no score has 50 results"),
        ([True] * 40 + [False] * 200, "no score has 50 results"),
    ],
)
def test_a_proposal_that_cannot_be_made_is_explained(right: list[bool], reason: str) -> None:
    task, vectors = threshold_task(right)
    found = propose(measure(task, vectors, "cosine", k=1), depth=1)
    assert found.score is None
    assert reason in found.sentence()

"""Planted faults are regressions, noise is not; the numbers are those of scikit-learn."""

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, ndcg_score
from sklearn.neighbors import NearestNeighbors

from examples.sample_store import draw_sample_catalog
from indexer.arrays import Ids, Vectors, normalised
from indexer.config import EmbeddingSettings
from indexer.embedding import Embedder, load_embedder
from indexer.embedding.base import Maps, PixelBatch
from indexer.evaluation.comparison import compare
from indexer.evaluation.embedding import embed
from indexer.evaluation.evaluation import Evaluation, Result, measure_models
from indexer.evaluation.labels import labelled_feed
from indexer.evaluation.measuring import Vectorised
from indexer.evaluation.preparing import Model, prepare_labels
from indexer.evaluation.tasks import SameLabel, Task
from indexer.feeds import FeedRow, ImageRef, Rejection, read_feed
from indexer.images import ImageLimits

TOLERANCE = 0.001  # the default of the command


class Faulty(Embedder):
    """A model whose input is prepared wrongly."""

    def __init__(self, embedder: Embedder, fault: Callable[[PixelBatch], PixelBatch]) -> None:
        self.spec, self.runs_on = embedder.spec, embedder.runs_on
        self._embedder, self._fault = embedder, fault

    def embed_batch(self, images: PixelBatch) -> Vectors:
        return self._embedder.embed_batch(np.ascontiguousarray(self._fault(images)))

    def activations(self, images: PixelBatch) -> Maps:
        return self._embedder.activations(images)


def channels_swapped(images: PixelBatch) -> PixelBatch:
    return images[..., ::-1]


def mean_not_subtracted(images: PixelBatch) -> PixelBatch:
    """The model subtracts the mean of its training photos, which is about 110."""
    return (images.astype(np.int16) + 110).clip(0, 255).astype(np.uint8)


def scaled_to_one(images: PixelBatch) -> PixelBatch:
    return images // 255


def model(name: str, embedder: Embedder) -> Model:
    return Model(name, {}, lambda: embedder)


def measured(
    rows: Sequence[FeedRow | Rejection], models: Mapping[str, Embedder]
) -> dict[str, Evaluation]:
    """Compares each model, and noise, with the first model."""
    labelled, _ = labelled_feed(rows, "category")
    prepared = prepare_labels(
        labelled,
        [model(name, embedder) for name, embedder in models.items()],
        lambda photos, embedder: embed(
            photos, lambda path: Path(path).read_bytes(), embedder, ImageLimits(), lambda _: None
        ),
        sample=len(labelled.photos),
        seed=0,
    )
    good, *others = prepared.models
    others.append(noisy(good))
    return {
        other.name: measure_models(prepared.task, [good, other], ["cosine"], k=10, seed=0)
        for other in others
    }


def outcome(evaluation: Evaluation) -> str:
    return compare(evaluation.results, 10, TOLERANCE, evaluation.queries).outcome


def noisy(vectors: Vectorised) -> Vectorised:
    """The same vectors with noise of a standard deviation of 0.001."""
    noise = np.random.RandomState(0).normal(scale=0.001, size=vectors.gallery.shape)
    changed = normalised(vectors.gallery + noise.astype(np.float32))
    return Vectorised("noise", changed, changed)


def reordered(task: Task, vectors: Vectorised) -> tuple[Task, Vectorised, Ids]:
    """The same products in another order, and the places that their photos had."""
    assert isinstance(task.judgements, SameLabel)
    gallery, labels = task.gallery, task.judgements.products
    products = np.random.RandomState(0).permutation(len(labels))
    rows = np.concatenate([np.flatnonzero(gallery.owners == product) for product in products])
    owners = np.argsort(products)[gallery.owners[rows]]
    ids = [gallery.product_ids[product] for product in products.tolist()]
    moved = replace(gallery.keep(rows), product_ids=ids, owners=owners)
    judgements = replace(
        task.judgements, queries=labels[products][owners], products=labels[products]
    )
    found = Vectorised("reordered", vectors.gallery[rows], vectors.gallery[rows])
    return Task(moved, moved, np.arange(len(rows)), judgements), found, rows


@pytest.fixture(scope="module")
def good() -> Embedder:
    return load_embedder(EmbeddingSettings())


@pytest.fixture(scope="module")
def exact() -> Embedder:
    return load_embedder(EmbeddingSettings(precision="float32"))


def test_faults_are_found_in_drawn_pictures(tmp_path: Path, good: Embedder) -> None:
    rows = list(read_feed(draw_sample_catalog(tmp_path, products=32)))
    models = {
        "good": good,
        "mean": Faulty(good, mean_not_subtracted),
        "scale": Faulty(good, scaled_to_one),
    }
    found = measured(rows, models)
    outcomes = {name: outcome(each) for name, each in found.items()}
    assert outcomes == {"noise": "no difference", "mean": "regression", "scale": "regression"}
    assert_the_order_does_not_matter(found["noise"])


def assert_the_order_does_not_matter(evaluation: Evaluation) -> None:
    before = evaluation.results[0]
    task, vectors, rows = reordered(evaluation.task, before.vectors)
    after = measure_models(task, [vectors], ["cosine"], k=10, seed=0).results[0].measured
    order = np.argsort(rows[after.queries])
    assert (rows[after.queries][order] == before.measured.queries).all()
    for name, values in before.measured.values.items():
        changes = after.values[name][order] - values
        assert abs(changes).mean() < TOLERANCE, name


@pytest.fixture(scope="module")
def clothing(test_data: Path, good: Embedder, exact: Embedder) -> dict[str, Evaluation]:
    """Every third photo of clothing, by good models and bad ones."""
    folder = test_data / "clothing"
    with (folder / "labels.csv").open(encoding="utf-8") as file:
        rows = [
            FeedRow(
                row["image"],
                {"category": row["category"]},
                (ImageRef(row["image"], str(folder / row["image"])),),
                None,
                "",
            )
            for row in list(csv.DictReader(file))[::3]
        ]
    models = {
        "good": good,
        "exact": exact,
        "channels": Faulty(good, channels_swapped),
        "mean": Faulty(good, mean_not_subtracted),
        "nearest": load_embedder(EmbeddingSettings(resize="nearest")),
    }
    return measured(rows, models)


@pytest.mark.parametrize("fault", ["channels", "mean", "nearest"])
def test_faults_are_found_in_real_photos(clothing: dict[str, Evaluation], fault: str) -> None:
    assert outcome(clothing[fault]) == "regression"


def test_another_number_format_is_no_regression(
    clothing: dict[str, Evaluation], good: Embedder, exact: Embedder
) -> None:
    if good.runs_on == exact.runs_on:
        pytest.skip("this processor has no bfloat16, so both models are the same")
    assert outcome(clothing["exact"]) != "regression"


def test_noise_and_another_order_are_no_regression(clothing: dict[str, Evaluation]) -> None:
    assert outcome(clothing["noise"]) != "regression"
    assert_the_order_does_not_matter(clothing["noise"])


def test_the_numbers_of_real_photos_are_those_of_scikit_learn(
    clothing: dict[str, Evaluation],
) -> None:
    evaluation = clothing["noise"]
    result, judgements = evaluation.results[0], evaluation.task.judgements
    assert isinstance(judgements, SameLabel)
    vectors, labels = result.vectors.gallery.astype(np.float64), judgements.products
    neighbours = NearestNeighbors(n_neighbors=2, metric="cosine").fit(vectors)
    nearest = neighbours.kneighbors(return_distance=False)[:, 0]
    cosines = vectors @ vectors.T
    rows = range(len(vectors))
    others = np.array([np.delete(cosines[row], row) for row in rows])
    right = np.array([np.delete(labels == labels[row], row) for row in rows])
    able = right.any(axis=1)
    assert len(result.measured.queries) == able.sum()
    assert _value(result, "precision@1") == pytest.approx((labels[nearest] == labels)[able].mean())
    precisions = map(average_precision_score, right[able], others[able])
    assert _value(result, "mAP") == pytest.approx(np.mean(list(precisions)), abs=1e-5)
    ours = _value(result, "nDCG@10")
    assert ours == pytest.approx(ndcg_score(right[able], others[able], k=10), abs=1e-5)


def _value(result: Result, metric: str) -> float:
    return result.metrics[metric].value

"""Planted faults are regressions, noise is not; the numbers are those of scikit-learn."""

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, ndcg_score
from sklearn.neighbors import NearestNeighbors

from examples.sample_store import draw_sample_catalog
from indexer.arrays import Vectors
from indexer.config import EmbeddingSettings
from indexer.embedding import Embedder, load_embedder
from indexer.embedding.base import Maps, Photos
from indexer.evaluation.comparison import compare
from indexer.evaluation.embedding import embed
from indexer.evaluation.evaluation import Evaluation, Result, evaluate
from indexer.evaluation.labels import labelled_feed
from indexer.evaluation.preparing import Model, prepare_labels
from indexer.evaluation.tasks import SameLabel
from indexer.feeds import FeedRow, ImageRef, Rejection, read_feed
from indexer.images import ImageLimits

TOLERANCE = 0.001  # the default of the command


class Faulty(Embedder):
    """A model whose input is prepared wrongly."""

    def __init__(self, embedder: Embedder, fault: Callable[[Photos], Photos]) -> None:
        self.spec, self.runs_on = embedder.spec, embedder.runs_on
        self._embedder, self._fault = embedder, fault

    def embed_batch(self, images: Photos) -> Vectors:
        return self._embedder.embed_batch(np.ascontiguousarray(self._fault(images)))

    def activations(self, images: Photos) -> Maps:
        return self._embedder.activations(images)


def channels_swapped(images: Photos) -> Photos:
    return images[..., ::-1]


def mean_not_subtracted(images: Photos) -> Photos:
    """The model subtracts the mean of its training photos, which is about 110."""
    return (images.astype(np.int16) + 110).clip(0, 255).astype(np.uint8)


def scaled_to_one(images: Photos) -> Photos:
    return images // 255


def model(name: str, embedder: Embedder) -> Model:
    return Model(name, {}, lambda: embedder)


def measured(
    rows: Sequence[FeedRow | Rejection], models: Mapping[str, Embedder]
) -> dict[str, Evaluation]:
    """Compares each model with the one named `good`."""
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
    good = prepared.models[0]
    return {
        other.name: evaluate(prepared.task, [good, other], ["cosine"], k=10, seed=0)
        for other in prepared.models[1:]
    }


@pytest.fixture(scope="module")
def good() -> Embedder:
    return load_embedder(EmbeddingSettings())


@pytest.fixture(scope="module")
def exact() -> Embedder:
    return load_embedder(EmbeddingSettings(precision="float32"))


def test_faults_are_found_in_drawn_pictures(
    tmp_path: Path, good: Embedder, exact: Embedder
) -> None:
    rows = list(read_feed(draw_sample_catalog(tmp_path, products=32)))
    models = {
        "good": good,
        "noise": exact,
        "mean": Faulty(good, mean_not_subtracted),
        "scale": Faulty(good, scaled_to_one),
    }
    outcomes = {
        name: compare(each, TOLERANCE).outcome for name, each in measured(rows, models).items()
    }
    assert outcomes == {"noise": "no difference", "mean": "regression", "scale": "regression"}


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
        "noise": exact,
        "channels": Faulty(good, channels_swapped),
        "mean": Faulty(good, mean_not_subtracted),
        "nearest": load_embedder(EmbeddingSettings(resize="nearest")),
    }
    return measured(rows, models)


@pytest.mark.parametrize("fault", ["channels", "mean", "nearest"])
def test_faults_are_found_in_real_photos(clothing: dict[str, Evaluation], fault: str) -> None:
    assert compare(clothing[fault], TOLERANCE).outcome == "regression"


def test_another_number_format_is_no_regression(clothing: dict[str, Evaluation]) -> None:
    assert compare(clothing["noise"], TOLERANCE).outcome != "regression"


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

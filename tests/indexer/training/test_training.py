"""What a training learns, from which products, and how they are divided."""

from pathlib import Path

import numpy as np
import pytest

from indexer.arrays import Ids, Vectors, normalised
from indexer.config import EmbeddingSettings
from indexer.embedding import resolve_spec
from indexer.embedding.head import Head
from indexer.embedding.spec import EmbeddingSpec
from indexer.embedding.weights import load_weights
from indexer.evaluation.labels import Labelled, LabelsError, labelled_feed
from indexer.evaluation.tasks import PhotoSet
from indexer.feeds import FeedRow, ImageRef
from indexer.training import loop
from indexer.training.base import Base
from indexer.training.batches import batches
from indexer.training.checkpoint import Checkpoint
from indexer.training.examples import NONE, Examples, joined
from indexer.training.inputs import TrainingData
from indexer.training.measuring import AFTER, BEFORE, measure
from indexer.training.run import Options, train
from indexer.training.split import assign_folds, validation
from tests.indexer.embedding.embedder_contract import photos

SPEC = EmbeddingSpec("vgg16", "untrained", "0" * 64, 32, "bilinear", dimension=24)
KEY = "0123456789ab"


def examples(labels: Ids, owners: Ids | None = None, hashes: list[str] | None = None) -> Examples:
    """Photos of products with labels (products, columns); each product has one photo or more."""
    owners = np.arange(len(labels)) if owners is None else owners
    names = [f"{number:04}" for number in range(len(labels))]
    places = [str(number) for number in range(len(owners))]
    photos = PhotoSet(names, owners, places, hashes or places, [None] * len(owners))
    columns = {f"column{c}": list("abcdefgh") for c in range(labels.shape[1])}
    nothing = [0] * labels.shape[1]
    families = np.arange(len(labels))
    return Examples(photos, np.arange(len(owners)), columns, labels, families, nothing, nothing)


def vectors(labels: Ids, seed: int = 0) -> Vectors:
    """Labels show in a few dimensions, and something else shows more."""
    random = np.random.RandomState(seed)
    found = random.standard_normal((len(labels), SPEC.dimension)) * 0.3
    for column, signal in enumerate(labels.T):
        found[:, column] += 2 * signal
    found[:, 8:12] += 6 * random.standard_normal((len(labels), 4))
    return normalised(found)


def test_a_head_brings_products_with_the_same_label_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "MAX_EPOCHS", 10)
    monkeypatch.setattr("indexer.embedding.finetuning.LEARNING_RATE", 1e-2)
    numbers = np.arange(200)
    labels = np.stack([numbers % 2, numbers // 2 % 2], axis=1)
    features = vectors(labels)
    labels[::3, 1] = NONE  # a third of the products lacks the second label
    found = examples(labels)
    trained = train(
        Base(SPEC, {}),
        TrainingData(found, features),
        Options(dimension=12, folds=2, seed=0),
        Checkpoint(tmp_path, KEY),
        lambda _: None,
    )
    assert trained.head.kernel.shape == (24, 12)
    assert trained.manifest.base_fingerprint == SPEC.fingerprint
    both = {BEFORE: features, AFTER: trained.vectors}
    first, second = measure(found, trained.folds, both, "here", {}, 0)
    assert first.difference.low > 0
    assert second.difference.low > 0
    assert second.scope.products == 133


def test_photos_of_a_product_and_products_that_share_a_photo_are_in_one_fold() -> None:
    labels = (np.arange(80) % 2)[:, None]
    owners = np.repeat(np.arange(80), 2)
    hashes = [str(number) for number in range(160)]
    hashes[2 * 7] = hashes[2 * 30] = "shared"
    hashes[2 * 30 + 1] = hashes[2 * 61] = "shared too"
    found = examples(labels, owners, hashes)
    for seed in range(10):
        product_folds = assign_folds(found, 3, seed)
        assert len(set(product_folds[[7, 30, 61]])) == 1
        for rows in validation(found, seed):
            sides = [number in found.photos.owners[rows] for number in (7, 30, 61)]
            assert sides in ([True] * 3, [False] * 3)
        together = np.sort(np.concatenate(validation(found, seed)))
        np.testing.assert_array_equal(together, np.arange(160))


def test_variants_in_a_feed_are_in_one_fold() -> None:
    rows = [
        FeedRow(
            f"{number:02}",
            {"category": "ab"[number % 2], "item_group_id": number // 4 if number < 24 else " "},
            (ImageRef("", str(number)),),
            None,
            "",
        )
        for number in range(96)
    ]
    everything, _ = labelled_feed(rows, None)
    found = joined(everything, {"category": labelled_feed(rows, "category")[0]})
    for seed in range(5):
        product_folds = assign_folds(found, 2, seed)
        assert all(len(set(product_folds[start : start + 4])) == 1 for start in range(0, 24, 4))
        assert len(set(product_folds[24:])) == 2
        training, stopping = (found.photos.owners[rows] for rows in validation(found, seed))
        assert not {number // 4 for number in training if number < 24} & {
            number // 4 for number in stopping
        }


def test_folds_have_about_the_same_share_of_each_label() -> None:
    labels = np.sort(np.random.RandomState(0).randint(0, 4, 400))[:, None]
    product_folds = assign_folds(examples(labels), 5, seed=1)
    for label in range(4):
        counts = np.bincount(product_folds[labels[:, 0] == label], minlength=5)
        assert counts.max() - counts.min() <= 4


def test_photos_without_a_known_hash_are_not_copies_of_each_other() -> None:
    found = examples((np.arange(40) % 2)[:, None], hashes=[""] * 40)
    assert len(set(assign_folds(found, 2, 0).tolist())) == 2


def test_too_few_products_are_refused_with_what_was_received() -> None:
    with pytest.raises(LabelsError, match="each of 5 folds needs two labels with two products"):
        assign_folds(examples((np.arange(10) % 2)[:, None]), 5, 0)
    one = examples(np.array([[0], [0], [0], [1]]))
    with pytest.raises(LabelsError, match="2 labels of column0, 1 with two products"):
        one.require_pairs("training needs")
    second = examples(np.array([[0, 0], [0, 1], [1, 2], [1, 3]]))
    with pytest.raises(LabelsError, match="4 labels of column1, 0 with two products"):
        second.require_pairs("training needs")


def test_each_photo_meets_another_product_with_its_label_however_rare() -> None:
    labels = (np.arange(2000) // 2)[:, None]  # two products each
    found = examples(labels)
    rows = np.arange(2000)
    for drawn in batches(found, rows, np.random.RandomState(0)):
        counts = np.bincount(labels[drawn, 0])
        assert set(counts[counts > 0]) == {2}
        assert len(set(drawn.tolist())) == len(drawn)


def test_an_epoch_has_every_photo() -> None:
    labels = np.array([[0, NONE], [NONE, 0], [0, 0], [1, NONE]] * 100)
    rows = np.arange(0, 400, 2)
    drawn = np.concatenate(list(batches(examples(labels), rows, np.random.RandomState(0))))
    assert set(drawn.tolist()) == set(rows.tolist())


def test_products_with_any_of_the_labels_are_kept() -> None:
    names = ["p", "q", "r", "s"]
    owners = np.array([0, 1, 1, 2, 3])
    photos = PhotoSet(names, owners, list("abcde"), list("abcde"), [None] * 5)
    four = np.arange(4)
    everything = Labelled(photos, ["any"], np.zeros(4, np.int64), four, np.arange(5), 0)

    def labelled(rows: list[int], values: list[str]) -> Labelled:
        part = Labelled(photos, values, four % len(values), four, np.arange(5), 4 - len(rows))
        return part.keep(np.flatnonzero(np.isin(owners, rows)))

    found = joined(everything, {"x": labelled([0, 1], ["a", "b"]), "y": labelled([1], ["c"])})
    assert found.photos.product_ids == ["p", "q"]
    assert found.labels.tolist() == [[0, NONE], [1, 0]]
    assert found.image_ids.tolist() == [0, 1, 2]
    assert found.families.tolist() == [0, 1]
    assert found.unlabelled == [2, 3]


def test_a_damaged_checkpoint_or_that_of_another_training_is_not_used(tmp_path: Path) -> None:
    folder = tmp_path / "c"
    with Checkpoint.opened(folder, KEY) as checkpoint:
        checkpoint.save("part", {"values": np.arange(3)})
    with Checkpoint.opened(folder, KEY) as checkpoint:
        loaded = checkpoint.load("part")
        assert loaded is not None
        assert loaded["values"].tolist() == [0, 1, 2]
        file = next(folder.glob("*.npz"))
        file.write_bytes(file.read_bytes()[:-30])
        assert checkpoint.load("part") is None
    with Checkpoint.opened(folder, KEY[::-1]) as checkpoint:
        assert checkpoint.load("part") is None
        assert not file.exists()
    assert not folder.exists()


def test_a_checkpoint_removes_only_what_it_wrote(tmp_path: Path) -> None:
    own = tmp_path / f"{KEY}-part.npz", tmp_path / f".{KEY}-part.npz.ab12_9xz"
    foreign = tmp_path / "part.npz", tmp_path / "notes.md", tmp_path / f"{KEY}-part.npz.bak"
    folder = tmp_path / f"{KEY}-photos.npz"
    folder.mkdir()
    for file in (*own, *foreign):
        file.touch()
    with Checkpoint.opened(tmp_path, KEY[::-1]) as checkpoint:
        assert not any(file.exists() for file in own)
        checkpoint.save("part", {"values": np.arange(3)})
        checkpoint.remove()
    assert set(tmp_path.iterdir()) == {*foreign, folder}


def test_the_last_block_changes_and_the_others_stay() -> None:
    weights = load_weights(resolve_spec(EmbeddingSettings(weights="untrained", input_size=32)))
    head = Head(np.eye(512, 8, dtype=np.float32), np.zeros(8, np.float32))
    from indexer.embedding.finetuning import Trainer  # imports TensorFlow, which takes seconds

    trainer = Trainer(head, weights)
    pixels = photos(4, 32)
    before = trainer.vectors(pixels)
    for _ in range(2):
        trainer.step(pixels, np.array([[0], [0], [1], [1]]), np.arange(4))
    after = trainer.convolutions
    changed = {name for name in weights if not np.array_equal(after[name][0], weights[name][0])}
    assert changed == {"block5_conv1", "block5_conv2", "block5_conv3"}
    assert not np.array_equal(trainer.vectors(pixels), before)
    trainer.reset(head)
    np.testing.assert_array_equal(trainer.vectors(pixels), before)

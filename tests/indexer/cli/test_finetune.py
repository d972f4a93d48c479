"""`finetune`: a model trained on the labels of products, and the way to use it."""

import csv
import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from indexer.cli import main
from indexer.training import batches, fitting, loop
from indexer.training.checkpoint import Arrays, Checkpoint
from tests.indexer.cli.conftest import Ran

PRODUCTS = 96
MODEL = {
    "IMAGE_SEARCH_EMBEDDING_WEIGHTS": "untrained",
    "IMAGE_SEARCH_EMBEDDING_INPUT_SIZE": "32",
    "IMAGE_SEARCH_EMBEDDING_PRECISION": "float32",
}


def picture(number: int) -> Image.Image:
    """A random pattern, a bit redder or bluer, with stripes across or down."""
    pixels = np.random.RandomState(number).randint(40, 200, (4, 4, 3)).repeat(8, 0).repeat(8, 1)
    pixels[..., 0 if number % 2 else 2] += 25
    stripes = 50 * (np.arange(32) // 2 % 2)
    pixels += stripes[:, None, None] if number % 4 < 2 else stripes[None, :, None]
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures in a folder for each category, and a feed of them with colours for most."""
    folder = tmp_path_factory.mktemp("labelled")
    rows = []
    for number in range(PRODUCTS):
        category = "across" if number % 4 < 2 else "down"
        file = folder / "photos" / category / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        picture(number).save(file)
        colour = ("red" if number % 2 else "blue") if number % 5 else ""
        rows.append([number, file.relative_to(folder), category, colour])
    for name, number in (("feed.csv", PRODUCTS), ("small.csv", PRODUCTS // 2)):
        with (folder / name).open("w", newline="") as out:
            header = ["id", "image_link", "category", "color"]
            csv.writer(out).writerows([header, *rows[:number]])
    return folder


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(loop, "MAX_EPOCHS", 12)
    monkeypatch.setattr(loop, "PATIENCE", 6)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMAGE_SEARCH_STORAGE_DATA_DIR", str(tmp_path / "data"))
    for name, value in MODEL.items():
        monkeypatch.setenv(name, value)


def run(*arguments: object) -> Ran:
    result = CliRunner().invoke(main, [str(each) for each in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Ran(result.exit_code, result.stdout, result.stderr)


def train(*arguments: object) -> Ran:
    return run("finetune", *arguments, "--folds", 2, "--dimensions", 64)


def use(monkeypatch: pytest.MonkeyPatch, weights: Path) -> None:
    monkeypatch.setenv("IMAGE_SEARCH_EMBEDDING_WEIGHTS", str(weights))


def test_it_learns_from_stored_vectors_and_the_catalogue_switches_without_photos(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own.npz"
    (tmp_path / "copy").symlink_to(folder)
    assert run("add", "copy/feed.csv").code == 0
    (tmp_path / "copy").unlink()  # the photos are gone
    ran = train(own, "--label", "category", "--label", "color", "--json")
    assert ran.code == 0, ran.err
    columns = ran.json["columns"]
    assert list(columns) == ["category", "color"]
    assert columns["color"]["products"] == PRODUCTS - len(range(0, PRODUCTS, 5))
    change = columns["category"]["results"][1]["difference"]["mAP"]
    assert change["low"] > 0
    card = (tmp_path / "own.md").read_text()
    assert ran.json["sha256"] in card
    assert "| category | precision@1 | " in card
    assert not (tmp_path / "own.checkpoint").exists()

    use(monkeypatch, own)
    assert "own.npz" in run("status", "--json").json["detail"]
    assert run("rebuild", "--re-embed").code == 0
    status = run("status", "--json").json
    assert (status["photo_search"], status["images"]) == (True, PRODUCTS)
    (found,) = run("search", folder / "photos/down/2.png", "-k", 1, "--json").json["results"]
    assert (found["product_id"], found["score"]) == ("2", pytest.approx(1, abs=2e-3))
    again = train(tmp_path / "twice.npz")
    assert (again.code, "has a head already" in again.err) == (1, True)


def test_the_same_seed_gives_the_same_file_even_after_an_interruption(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "photos" / "down" / "broken.png").write_bytes(b"no photo")
    whole = train(tmp_path / "whole.npz", folder / "photos", "--json")
    assert whole.code == 0, whole.err
    assert list(whole.json["columns"]["category"]["unreadable"]) != []

    monkeypatch.setattr(fitting, "SAVED_EVERY_S", 0)
    save, saves = Checkpoint.save, []

    def interrupted(self: Checkpoint, name: str, arrays: Arrays) -> None:
        save(self, name, arrays)
        saves.append(name)
        if len(saves) == 20:
            raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoint, "save", interrupted)
    stopped = train(tmp_path / "own.npz", folder / "photos")
    assert (stopped.code, (tmp_path / "own.npz").exists()) == (130, False)
    before = len(saves)
    continued = train(tmp_path / "own.npz", folder / "photos", "--json")
    assert continued.json["sha256"] == whole.json["sha256"]
    assert not {"vectors-0", "fold-0"} & set(saves[before:])


def test_the_last_block_is_trained_too_if_asked(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own.npz"
    monkeypatch.setattr(loop, "MAX_EPOCHS", 1)
    monkeypatch.setattr(batches, "MIN_STEPS", 1)
    better = itertools.count()  # one step improves nothing yet
    monkeypatch.setattr(loop, "nearest_is_right", lambda rows, *_: np.full(len(rows), next(better)))
    ran = train(own, folder / "small.csv", "--unfreeze", "block5", "--json")
    assert ran.code == 0, ran.err
    assert (ran.json["unfrozen"], "block5" in (tmp_path / "own.md").read_text()) == ("block5", True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["own.npz", "one"],
            "`finetune` needs two labels with two products each, received 2 labels",
        ),
        (["own.npz", "few"], "each of 2 folds needs two labels"),
        (["own.npz", "few", "--label", "brand"], "no product has the attribute 'brand'"),
        (["own.h5", "few"], "must end in .npz"),
        (["gone/own.npz", "few"], "there is no folder"),
    ],
)
def test_what_cannot_be_learned_is_said_before_anything_is_computed(
    tmp_path: Path, arguments: Sequence[str], words: str
) -> None:
    for name, numbers in (("one", [0, 1, 4, 2]), ("few", [0, 1, 2, 3])):
        for number in numbers:
            file = tmp_path / name / ("across" if number % 4 < 2 else "down") / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            picture(number).save(file)
    ran = train(*arguments)
    assert ran.code in (1, 2)
    assert words in ran.err
    assert not (tmp_path / "own.npz").exists()


def test_labels_that_photos_do_not_show_give_no_file(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "MAX_EPOCHS", 0)
    ran = train(tmp_path / "own.npz", folder / "feed.csv")
    assert (ran.code, "does not improve precision@1" in ran.out) == (1, True)
    assert not (tmp_path / "own.npz").exists()


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("MODEL", "vgg16-fc1", "embedding.model: received vgg16-fc1; `finetune` needs vgg16"),
        ("WHITENING", "w.npz", "embedding.whitening: received w.npz; `finetune` needs none"),
    ],
)
def test_other_models_are_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    monkeypatch.setenv(f"IMAGE_SEARCH_EMBEDDING_{name}", value)
    ran = train("own.npz", folder / "feed.csv")
    assert (ran.code, words in ran.err) == (2, True)

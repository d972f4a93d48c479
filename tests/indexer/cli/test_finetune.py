"""`finetune`: a model trained on the labels of products, and the way to use it."""

import csv
import itertools
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from indexer.cli import main
from indexer.files import LOCK, writer_lock
from indexer.training import batches, fitting, loop, measuring
from indexer.training.checkpoint import Arrays, Checkpoint
from tests.indexer.cli.conftest import Ran
from tests.mounts import fill, read_only, small_disk
from tests.processes import start, wait_for

PRODUCTS = 96
MODEL = {
    "IMAGE_SEARCH_EMBEDDING_WEIGHTS": "untrained",
    "IMAGE_SEARCH_EMBEDDING_INPUT_SIZE": "32",
    "IMAGE_SEARCH_EMBEDDING_PRECISION": "float32",
}
# A process that trains for a file, then for another one, in short epochs that are all saved.
SHORT = """
import sys
from indexer.cli import main
from indexer.training import fitting, loop, measuring
fitting.SAVED_EVERY_S, loop.MAX_EPOCHS, loop.PATIENCE, measuring.MIN_GAIN = 0, 12, 6, -1
outputs, arguments = sys.argv[1].split(":"), sys.argv[2:]
for output in outputs:
    try:
        main(["finetune", output, *arguments])
    except SystemExit as end:
        if end.code:
            raise
"""


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
        rows.append([number, file.relative_to(folder), category, colour, f"sku{number}"])
    for name, number in (("feed.csv", PRODUCTS), ("small.csv", PRODUCTS // 2)):
        with (folder / name).open("w", newline="") as out:
            header = ["id", "image_link", "category", "color", "sku"]
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
    own, notes = tmp_path / "own.npz", tmp_path / ".own.finetune" / "notes"
    notes.parent.mkdir()
    notes.touch()
    (tmp_path / "copy").symlink_to(folder)
    assert run("add", "copy/feed.csv").code == 0
    (tmp_path / "copy").unlink()  # the photos are gone
    ran = train(own, "--label", "category", "--label", "color", "--json")
    assert ran.code == 0, ran.err
    columns = ran.json["columns"]
    assert list(columns) == ["category", "color"]
    unlabelled = len(range(0, PRODUCTS, 5))
    assert columns["color"]["unlabelled"] == unlabelled
    assert columns["color"]["products"] == PRODUCTS - unlabelled
    change = columns["category"]["results"][1]["difference"]["mAP"]
    assert change["low"] > 0
    card = (tmp_path / "own.md").read_text()
    assert ran.json["sha256"] in card
    assert "| category | precision@1 | " in card
    assert ran.json["card"] == str(tmp_path / "own.md")
    assert list(notes.parent.iterdir()) == [notes]

    use(monkeypatch, own)
    assert "own.npz" in run("status", "--json").json["detail"]
    assert run("rebuild", "--re-embed").code == 0
    status = run("status", "--json").json
    assert (status["photo_search"], status["images"]) == (True, PRODUCTS)
    (found,) = run("search", folder / "photos/down/2.png", "-k", 1, "--json").json["results"]
    assert (found["product_id"], found["score"]) == ("2", pytest.approx(1, abs=2e-3))
    again = train(tmp_path / "twice.npz")
    assert (again.code, "has a head already" in again.err) == (1, True)


def test_the_same_seed_gives_the_same_file_even_after_ctrl_c(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "photos" / "down" / "broken.png").write_bytes(b"no photo")
    whole = train(tmp_path / "whole.npz", folder / "photos", "--json")
    assert whole.code == 3, whole.err
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
    assert not list(tmp_path.glob(".*.finetune"))


def test_a_run_that_was_killed_goes_on_to_the_same_file(folder: Path, tmp_path: Path) -> None:
    own, whole = tmp_path / "own.npz", tmp_path / "whole.npz"
    saved = tmp_path / ".own.finetune"

    def process(outputs: str) -> subprocess.Popen[bytes]:
        arguments = [outputs, str(folder / "small.csv"), "--folds", "2", "--dimensions", "64"]
        return start("-c", SHORT, *arguments, data_dir=tmp_path, settings=MODEL)

    killed = process(str(own))
    wait_for(lambda: killed.poll() or list(saved.glob("*-without-1-search.npz")), "training")
    killed.kill()
    assert killed.wait(10) == -signal.SIGKILL
    assert not own.exists()
    assert process(f"{own}:{whole}").wait(120) == 0
    assert own.read_bytes() == whole.read_bytes()
    assert not list(tmp_path.glob(".*.finetune"))


def test_the_last_block_is_trained_too_if_asked(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own.npz"
    monkeypatch.setattr(loop, "MAX_EPOCHS", 1)
    monkeypatch.setattr(batches, "MIN_STEPS", 1)
    monkeypatch.setattr(measuring, "MIN_GAIN", -1)
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
    assert not list(tmp_path.glob("*own*"))


def test_labels_that_photos_do_not_show_give_no_file(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "MAX_EPOCHS", 0)
    ran = train(tmp_path / "own.npz", folder / "feed.csv")
    assert (ran.code, "does not improve precision@1" in ran.out) == (1, True)
    assert list(tmp_path.iterdir()) == []


def test_a_gain_that_other_products_do_not_confirm_gives_no_file(
    folder: Path, tmp_path: Path
) -> None:
    rows = list(csv.DictReader((folder / "feed.csv").read_text().splitlines()))
    drawn = np.random.RandomState(1).permutation([row["category"] for row in rows])
    for row, category in zip(rows, drawn, strict=True):
        row |= {"category": category, "image_link": str(folder / row["image_link"])}
    with (tmp_path / "drawn.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    ran = train(tmp_path / "own.npz", tmp_path / "drawn.csv")
    assert (ran.code, "does not improve precision@1" in ran.out) == (1, True)
    assert "precision@1 of category: -" in ran.out
    assert not list(tmp_path.glob("own*"))


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


@pytest.mark.parametrize("name", ["own.npz", "own.md", "link.npz"])
def test_no_file_is_replaced(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / name.replace("link", "base")).write_bytes(b"of the user")
    (tmp_path / "link.npz").symlink_to("base.npz")
    use(monkeypatch, tmp_path / "base.npz")
    before = {path: path.lstat() for path in tmp_path.iterdir()}
    ran = train(Path(name).with_suffix(".npz"), folder / "feed.csv")
    assert (ran.code, f"{name} exists" in ran.err) == (2, True)
    assert {path: path.lstat() for path in tmp_path.iterdir()} == before


def test_a_file_that_appears_meanwhile_is_not_replaced_and_nothing_is_lost(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card, own = tmp_path / "own.md", tmp_path / "own.npz"
    save = Checkpoint.save

    def noted(self: Checkpoint, name: str, arrays: Arrays) -> None:
        save(self, name, arrays)
        card.write_text("of the user")

    monkeypatch.setattr(Checkpoint, "save", noted)
    ran = train(own, folder / "feed.csv")
    assert (ran.code, "own.md exists" in ran.err, own.exists()) == (2, True, False)
    assert card.read_text() == "of the user"
    card.unlink()
    saves: list[str] = []
    monkeypatch.setattr(Checkpoint, "save", lambda *arguments: saves.append(arguments[1]))
    assert train(own, folder / "feed.csv").code == 0
    assert saves == []


def test_a_disk_that_is_full_or_read_only_is_reported_before_training(
    folder: Path, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk", 33 << 20) as disk:
        fill(disk)
        full = train(disk / "own.npz", folder / "feed.csv", "--json")
        assert {path.name for path in disk.iterdir()} == {"ballast"}
    with read_only(folder, tmp_path / "place") as place:
        locked = train(place / "own.npz", folder / "feed.csv", "--json")
    codes = [(ran.code, ran.json["error"]["code"]) for ran in (full, locked)]
    assert codes == [(1, "disk_full"), (1, "read_only")]


def test_a_second_run_for_the_same_file_is_refused(folder: Path, tmp_path: Path) -> None:
    saved = tmp_path / ".own.finetune"
    saved.mkdir()
    with writer_lock(saved):
        ran = train(tmp_path / "own.npz", folder / "feed.csv")
    assert (ran.code, str(saved / LOCK) in ran.err) == (4, True)


def test_rows_that_are_rejected_are_reported_and_the_others_are_used(
    folder: Path, tmp_path: Path
) -> None:
    feed = folder / "dirty.csv"
    lines = (folder / "feed.csv").read_text().splitlines()
    lines[1] = ",".join(["", *lines[1].split(",")[1:]])  # no id
    lines[2] = lines[2].replace(",across,", ", ACROSS ,")
    feed.write_text("\n".join(lines) + "\n")
    ran = train(tmp_path / "own.npz", feed, "--json")
    assert (ran.code, [each["line"] for each in ran.json["rejections"]]) == (3, [2])
    assert "rejected: " in ran.err
    column = ran.json["columns"]["category"]
    assert (column["products"], len(column["results"][0]["classes"])) == (PRODUCTS - 1, 2)
    feed.write_text("\n".join([lines[0], lines[1]]) + "\n")
    none = train(tmp_path / "none.npz", feed)
    assert (none.code, "was rejected" in none.err, "line 2" in none.err) == (1, True, True)


def test_every_label_must_have_products_to_learn_from(folder: Path, tmp_path: Path) -> None:
    ran = train(tmp_path / "own.npz", folder / "feed.csv", "--label", "category", "--label", "sku")
    assert (ran.code, f"{PRODUCTS} labels of sku, 0 with two products" in ran.err) == (1, True)
    assert list(tmp_path.iterdir()) == []

"""Settings that no longer fit the catalogue: every command names the setting and both values."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from indexer.cli import app
from indexer.embedding import EmbeddingSpec, load_embedder, resolve_spec
from indexer.embedding.spec import FASHION, FASHION_SHA256, RETIRED_SHA256, UNTRAINED_SHA256
from tests.fakes import FAKE_SPEC
from tests.indexer.cli.conftest import Shop

SMALLER = replace(FAKE_SPEC, input_size=32)
# Changed settings, and what must be told of them.
CHANGES: dict[str, tuple[EmbeddingSpec, list[str]]] = {
    "input_size": (
        replace(SMALLER, input_size=64),
        ["made with embedding.input_size 32", "the settings say embedding.input_size 64"],
    ),
    "resize": (
        replace(SMALLER, resize="letterbox"),
        ["made with embedding.resize bilinear", "the settings say embedding.resize letterbox"],
    ),
    "pooling": (
        replace(SMALLER, pooling="gem"),
        ["made with embedding.pooling average", "the settings say embedding.pooling gem"],
    ),
    "weights": (
        replace(SMALLER, weights="shoes.h5", weights_sha256="1" * 64),
        ["made with embedding.weights fake", "the settings say embedding.weights shoes.h5"],
    ),
    "the file of the weights": (
        replace(SMALLER, weights_sha256="1" * 64),
        ["embedding.weights fake (SHA-256 000000000000)", "fake (SHA-256 111111111111)"],
    ),
    "calibrated weights": (
        replace(SMALLER, weights="a.int8", weights_sha256="1" * 64, numeric_class="int8"),
        ["made with embedding.weights fake", "the settings say embedding.weights a.int8"],
    ),
    "two": (
        replace(SMALLER, weights="imagenet", weights_sha256="2" * 64, input_size=224),
        [
            "made with embedding.weights fake, embedding.input_size 32",
            "the settings say embedding.weights imagenet, embedding.input_size 224",
        ],
    ),
}
COMMANDS = ["add {feed}", "sync {feed}", "sync --dry-run {feed}", "search {photo}", "status"]


@pytest.fixture
def stocked(shop: Shop) -> Shop:
    shop.embedder.spec = SMALLER
    assert shop.run("add", shop.feed({"a": "red", "b": "navy"})).code == 0
    return shop


def forget(shop: Shop) -> None:
    """Makes the catalogue one that did not record what decided its vectors."""
    with closing(sqlite3.connect(shop.data_dir / "default" / "catalog.db")) as db, db:
        assert db.execute("DELETE FROM meta WHERE key = 'embedding'").rowcount == 1


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("change", CHANGES)
def test_a_command_names_the_changed_setting_both_values_and_the_way_out(
    stocked: Shop, change: str, command: str
) -> None:
    stocked.embedder.spec, expected = CHANGES[change]
    feed, photo = (
        stocked.feed({"a": "red", "b": "navy", "c": "gold"}),
        stocked.photo("q.png", "red"),
    )
    ran = stocked.run(*command.format(feed=feed, photo=photo).split(), "--json")
    if command == "status":
        assert (ran.code, ran.json["photo_search"]) == (0, False)
        told = ran.json["detail"]
    elif command != "search {photo}":
        (rejection,) = ran.json["rejections"]
        assert (ran.code, ran.json["unchanged"], rejection["product_id"]) == (3, 2, "c")
        told = rejection["reason"]
    else:
        assert (ran.code, ran.json["error"]["code"]) == (1, "fingerprint_mismatch")
        told = ran.json["error"]["detail"]
    for text in (*expected, "rebuild --re-embed", "restore the old settings"):
        assert text in told


def test_status_tells_the_model_of_the_vectors_from_the_configured_one(stocked: Shop) -> None:
    made = stocked.embedder.spec
    untrained = replace(made, weights="untrained", weights_sha256=UNTRAINED_SHA256)
    stocked.embedder.spec = untrained
    status = stocked.run("status", "--json").json
    fields = ("fingerprint", "weights", "trained")
    assert [status[name] for name in fields] == [made.fingerprint, "fake", True]
    configured = [status["settings"][name] for name in fields]
    assert configured == [untrained.fingerprint, "untrained", False]
    stocked.run("rebuild", "--re-embed")
    status = stocked.run("status", "--json").json
    assert (status["weights"], status["trained"], status["settings"]) == ("untrained", False, None)


def test_the_list_of_snapshots_tells_their_models_apart(stocked: Shop) -> None:
    models = [stocked.embedder.spec, CHANGES["input_size"][0]]
    for model in models:
        stocked.embedder.spec = model
        assert stocked.run("rebuild", "--re-embed").code == 0
        assert stocked.run("snapshot", "create").code == 0
    listed = stocked.run("snapshot", "list", "--json").json["snapshots"]
    assert [each["embedding"]["input_size"] for each in listed] == [32, 64]
    rows = stocked.run("snapshot", "list").out.splitlines()[1:]
    for row, model in zip(rows, models, strict=True):
        cells = [model.model, "fake", str(model.input_size), model.fingerprint[:12]]
        assert row.split()[-4:] == cells


def test_the_way_out_leads_out(stocked: Shop) -> None:
    stocked.embedder.spec = CHANGES["input_size"][0]
    feed = stocked.feed({"a": "gold", "b": "navy"})
    assert stocked.run("sync", feed).code == 3
    assert stocked.run("rebuild", "--re-embed").code == 0
    assert stocked.run("sync", feed).code == 0
    status = stocked.run("status", "--json").json
    assert (status["photo_search"], status["detail"]) == (True, "")


@pytest.mark.parametrize("change", ["input_size", "resize"])
def test_a_catalogue_that_did_not_record_its_settings_is_told_by_its_fingerprint(
    stocked: Shop, change: str
) -> None:
    forget(stocked)
    stocked.embedder.spec, expected = CHANGES[change]
    told = stocked.run("status", "--json").json["detail"]
    assert all(text in told for text in expected)


def test_a_catalogue_of_vgg16_is_told_when_another_model_is_set(shop: Shop) -> None:
    old = replace(SMALLER, model="vgg16", weights=FASHION, weights_sha256=FASHION_SHA256)
    shop.embedder.spec = old
    assert shop.run("add", shop.feed({"a": "red"})).code == 0
    forget(shop)
    shop.embedder.spec = replace(
        SMALLER, model="resnet50", weights="imagenet", weights_sha256="1" * 64
    )
    told = shop.run("status", "--json").json["detail"]
    assert f"made with embedding.weights {FASHION}, embedding.model vgg16, but" in told


def test_what_is_known_is_told_where_the_rest_cannot_be_found_out(stocked: Shop) -> None:
    forget(stocked)
    stocked.embedder.spec, _ = CHANGES["weights"]
    told = stocked.run("status", "--json").json["detail"]
    for text in ("embedding.weights fake", "not recorded", "embedding.weights shoes.h5"):
        assert text in told


def test_the_next_command_records_what_was_not(stocked: Shop) -> None:
    forget(stocked)
    assert stocked.run("add", stocked.folder / "feed.csv").code == 0
    stocked.embedder.spec, expected = CHANGES["weights"]
    told = stocked.run("status", "--json").json["detail"]
    assert all(text in told for text in expected)


def test_vectors_said_to_be_of_the_configured_model_must_be_of_the_catalogue_s(
    stocked: Shop, tmp_path: Path
) -> None:
    stocked.embedder.spec, expected = CHANGES["resize"]
    np.save(tmp_path / "v.npy", np.ones((1, 48)))
    (tmp_path / "n.txt").write_text("c.jpg\n")
    files = (tmp_path / "v.npy", tmp_path / "n.txt")
    ran = stocked.run("import-features", *files, "--same-model")
    assert ran.code == 1
    assert all(text in ran.err for text in expected)


def test_a_snapshot_of_other_settings_names_them(stocked: Shop) -> None:
    name = stocked.run("snapshot", "create", "--json").json["name"]
    stocked.embedder.spec, expected = CHANGES["resize"]
    ran = stocked.run("snapshot", "restore", name)
    assert ran.code == 1
    assert all(text in ran.err for text in expected)


def test_a_part_that_was_made_with_other_settings_names_them(stocked: Shop) -> None:
    stocked.data_dir.rename(stocked.folder / "part")
    stocked.embedder.spec, expected = CHANGES["resize"]
    ran = stocked.run("merge", stocked.folder / "part")
    assert ran.code == 1
    assert all(text in ran.err for text in expected)


def test_vectors_of_weights_that_are_no_longer_bundled_are_named_by_their_version(
    shop: Shop,
) -> None:
    old = replace(SMALLER, weights="fashion", weights_sha256=RETIRED_SHA256["fashion-1"])
    shop.embedder.spec = old
    assert shop.run("add", shop.feed({"a": "red"})).code == 0
    shop.embedder.spec = replace(SMALLER, weights=FASHION, weights_sha256=FASHION_SHA256)
    status = shop.run("status", "--json").json
    assert status["weights"] == "fashion-1"
    for text in ("weights fashion-1, but the settings say embedding.weights fashion-2", "re-embed"):
        assert text in status["detail"]
    assert "restore the old settings" not in status["detail"]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"WEIGHTS": "/nope/w.h5"}, "/nope/w.h5"),
        ({"WHITENING": "/nope/w.npz"}, "/nope/w.npz"),
        ({"WEIGHTS": "fashion-1"}, "fashion-1 is no longer bundled; set it to fashion-2"),
    ],
)
def test_without_a_file_of_the_model_only_photos_are_refused(
    stocked: Shop, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], reason: str
) -> None:
    monkeypatch.setattr(app, "resolve_spec", resolve_spec)
    monkeypatch.setattr(app, "load_embedder", load_embedder)
    environ = {f"IMAGE_SEARCH_EMBEDDING_{name}": value for name, value in settings.items()}
    status = stocked.run("status", "--json", **environ).json
    assert (status["products"], status["weights"], status["photo_search"]) == (2, "fake", False)
    assert reason in status["detail"]
    found = stocked.run("search", "--product", "a", "--json", **environ).json
    assert [result["product_id"] for result in found["results"]] == ["a", "b"]
    ran = stocked.run("search", next((stocked.folder / "photos").iterdir()), **environ)
    assert ran.code == 1
    assert reason in ran.err
    assert "restore the old settings" not in status["detail"] + ran.err

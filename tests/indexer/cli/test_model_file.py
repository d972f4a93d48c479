"""A model file through the whole command line: its vectors have any dimension."""

from pathlib import Path

import pytest

from indexer.cli import app
from indexer.embedding import load_embedder, resolve_spec
from tests.indexer.cli.conftest import Shop
from tests.onnx_models import write_model

pytest.importorskip("openvino", reason="OpenVINO is not installed")
DIMENSION = 4096
COLOURS = {"red": "red", "navy": "navy", "olive": "olive"}


@pytest.fixture
def model(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The settings of a model file, which is really loaded."""
    monkeypatch.setattr(app, "resolve_spec", resolve_spec)
    monkeypatch.setattr(app, "load_embedder", load_embedder)
    path = write_model(shop.folder / "model" / "tiny.onnx", dimension=DIMENSION)
    return {"IMAGE_SEARCH_EMBEDDING_MODEL": str(path)}


def test_products_are_added_found_verified_and_copied(
    shop: Shop, model: dict[str, str], tmp_path: Path
) -> None:
    assert shop.run("add", shop.feed(COLOURS), **model).code == 0
    found = shop.run("search", next((shop.folder / "photos").glob("*navy*")), "--json", **model)
    first = found.json["results"][0]
    assert (first["product_id"], first["score"]) == ("navy", pytest.approx(1, abs=1e-5))
    assert shop.run("search", "--product", "red", "--json", **model).json["total"] == 3
    status = shop.run("status", "--json", **model).json
    assert (status["weights"], status["photo_search"]) == (
        model["IMAGE_SEARCH_EMBEDDING_MODEL"],
        True,
    )
    assert shop.run("verify", **model).code == 0

    assert shop.run("export", tmp_path / "out", **model).code == 0
    other = {**model, "IMAGE_SEARCH_STORAGE_DATA_DIR": str(tmp_path / "other")}
    files = [tmp_path / "out" / name for name in ("features.npy", "names.txt")]
    assert shop.run("import-features", *files, **other).code == 0
    again = shop.run("search", "--product", "navy", "--json", **other).json
    assert again["results"][0]["product_id"] == "navy"

    assert shop.run("snapshot", "create", **model).code == 0
    (snapshot,) = shop.run("snapshot", "list", "--json", **model).json["snapshots"]
    assert shop.run("snapshot", "verify", snapshot["name"], **model).code == 0

    empty = {**model, "IMAGE_SEARCH_STORAGE_DATA_DIR": str(tmp_path / "merged")}
    assert shop.run("merge", shop.data_dir / "default", **empty).code == 0
    merged = shop.run("search", "--product", "navy", "--json", **empty).json
    assert (merged["results"][0]["product_id"], merged["total"]) == ("navy", 3)


def test_another_model_is_named_and_embeds_again(shop: Shop, model: dict[str, str]) -> None:
    assert shop.run("add", shop.feed(COLOURS), **model).code == 0
    other = write_model(shop.folder / "other" / "tiny.onnx", dimension=20)
    changed = {"IMAGE_SEARCH_EMBEDDING_MODEL": str(other)}
    detail = shop.run("status", "--json", **changed).json["detail"]
    assert f"made with embedding.model {model['IMAGE_SEARCH_EMBEDDING_MODEL']}" in detail
    assert f"the settings say embedding.model {other}" in detail
    photo = next((shop.folder / "photos").glob("*red*"))
    assert shop.run("search", photo, **changed).code == 1
    assert shop.run("rebuild", "--re-embed", **changed).code == 0
    found = shop.run("search", photo, "--json", **changed).json
    assert found["results"][0]["product_id"] == "red"


def test_what_the_model_cannot_do_is_an_error(shop: Shop, model: dict[str, str]) -> None:
    assert shop.run("add", shop.feed(COLOURS), **model).code == 0
    photo = next((shop.folder / "photos").glob("*red*"))
    ran = shop.run("search", photo, "--box", "auto", "--json", **model)
    assert (ran.code, ran.json["error"]["code"]) == (1, "unsupported_by_model")


def test_a_path_in_the_settings_file_is_relative_to_it(
    shop: Shop, model: dict[str, str], tmp_path: Path
) -> None:
    assert model
    (tmp_path / "shop.yaml").write_text("embedding: {model: model/tiny.onnx}\n")
    ran = shop.run("--config", tmp_path / "shop.yaml", "status", "--json")
    assert ran.json["weights"] == str(shop.folder / "model" / "tiny.onnx")

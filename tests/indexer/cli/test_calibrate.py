"""`calibrate` makes an int8 model of the configured model, or says why not."""

from pathlib import Path

import pytest

from indexer.cli import app
from indexer.config import EmbeddingSettings
from indexer.embedding import resolve_spec
from indexer.embedding.engines.precision import INT8_FLAGS, cpu_flags
from tests.indexer.cli.conftest import Shop, grey

MODEL = {
    "IMAGE_SEARCH_EMBEDDING_WEIGHTS": "untrained",
    "IMAGE_SEARCH_EMBEDDING_INPUT_SIZE": "32",
}
needs_int8 = pytest.mark.skipif(
    not INT8_FLAGS & cpu_flags(), reason="the processor does not compute in int8"
)


@pytest.fixture
def stocked(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A catalogue of 110 photos, one of them gone since."""
    shop.run("add", shop.feed({f"p{number}": grey(number) for number in range(110)}))
    next((shop.folder / "photos").iterdir()).unlink()
    monkeypatch.setattr(app, "resolve_spec", resolve_spec)
    return shop


@needs_int8
def test_it_writes_a_model_that_the_settings_can_name(stocked: Shop, tmp_path: Path) -> None:
    pytest.importorskip("openvino", reason="OpenVINO is not installed")
    path = tmp_path / "store.int8"
    ran = stocked.run("calibrate", path, "--min-overlap", 0, "--json", **MODEL)
    assert ran.code == 0
    assert ran.json["photos"] == 109
    assert ran.json["file"] == str(path)
    assert "skipped: " in ran.err
    assert resolve_spec(EmbeddingSettings(weights=str(path))).input_size == 32

    again = stocked.run("calibrate", path, **MODEL | {"IMAGE_SEARCH_EMBEDDING_WEIGHTS": str(path)})
    assert again.code == 1
    assert "is an int8 model already" in again.err


@needs_int8
def test_below_the_limit_it_says_the_numbers_and_writes_nothing(
    stocked: Shop, tmp_path: Path
) -> None:
    pytest.importorskip("openvino", reason="OpenVINO is not installed")
    path = tmp_path / "store.int8"
    ran = stocked.run("calibrate", path, "--photos", 100, "--min-overlap", 1, **MODEL)
    assert ran.code == 1
    assert "top-10 overlap with float32 0." in ran.out
    assert "below 1.0, nothing was written" in ran.out
    assert not path.exists()


def test_too_few_photos_are_an_error(shop: Shop, tmp_path: Path) -> None:
    shop.run("add", shop.feed({"a": "red", "b": "blue"}))
    ran = shop.run("calibrate", tmp_path / "store.int8")
    assert ran.code == 1
    assert "at least 100 different photos; readable photos in the catalogue: 2" in ran.err


def test_another_suffix_is_wrong_usage(shop: Shop, tmp_path: Path) -> None:
    ran = shop.run("calibrate", tmp_path / "store.onnx")
    assert ran.code == 2
    assert "must end in .int8" in ran.err

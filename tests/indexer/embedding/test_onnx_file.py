"""ONNX files: the vectors are those of the model, and what cannot be used is refused in words."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from indexer.config import EmbeddingSettings
from indexer.embedding import Embedder, load_embedder, resolve_spec
from indexer.embedding.base import unit_rows
from indexer.embedding.engines.runtime import resolve_engine
from indexer.embedding.kinds import Kind, difference
from indexer.embedding.pooling import pooled
from indexer.errors import ConfigError, EngineUnavailableError, ModelError
from tests.indexer.embedding.embedder_contract import EmbedderContract, photos
from tests.onnx_models import CLIP, expected_maps, expected_rows, write_model

pytest.importorskip("openvino", reason="OpenVINO is not installed")
SIDE = 32


def settings(path: Path, **others: Any) -> EmbeddingSettings:
    return EmbeddingSettings.model_validate({"model": str(path), "precision": "float32", **others})


def vectors(path: Path, **others: Any) -> Any:
    return load_embedder(settings(path, **others)).embed_batch(photos(3, SIDE))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    return load_embedder(settings(write_model(tmp_path_factory.mktemp("onnx") / "tiny.onnx")))


class TestOnnx(EmbedderContract):
    @pytest.fixture
    def embedder(self, tiny: Embedder) -> Embedder:
        return tiny

    def test_photos_are_prepared_as_the_file_beside_it_says(self, embedder: Embedder) -> None:
        (photo,) = photos(1, 80)
        image = Image.fromarray(photo).resize((80, 60))
        resized = image.resize((53, 40), Image.Resampling.BICUBIC).crop((10, 4, 42, 36))
        expected = unit_rows(expected_rows(np.asarray(resized)[None]))
        np.testing.assert_allclose(embedder.embed([image]), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        (("tokens", "image_embeds", "pooler_output"), lambda images: expected_rows(images)),
        (("tokens", "pooler_output"), lambda images: expected_rows(images)),
        (("tokens",), lambda images: expected_maps(images)[:, 0, 0]),
        (("last_hidden_state",), lambda images: expected_maps(images).mean(axis=(1, 2))),
        (("features",), lambda images: expected_maps(images).mean(axis=(1, 2))),
    ],
    ids=["image_embeds", "pooler_output", "class token", "maps", "another name"],
)
@pytest.mark.parametrize("sizes", [{}, {"batch": 1}, {"side": SIDE}, {"batch": 1, "side": SIDE}])
def test_the_output_is_the_best_one_of_whatever_sizes(
    tmp_path: Path, outputs: tuple[str, ...], expected: Any, sizes: dict[str, Any]
) -> None:
    path = write_model(tmp_path / "model.onnx", outputs, **sizes)
    np.testing.assert_allclose(vectors(path), unit_rows(expected(photos(3, SIDE))), atol=1e-5)


@pytest.mark.parametrize("method", ["max", "gem"])
def test_maps_are_pooled_as_the_settings_say(tmp_path: Path, method: Any) -> None:
    path = write_model(tmp_path / "model.onnx", ["maps_of_the_end"])
    expected = unit_rows(pooled(expected_maps(photos(3, SIDE)), method))
    np.testing.assert_allclose(vectors(path, pooling=method), expected, atol=1e-5)
    rows = write_model(tmp_path / "rows.onnx")
    with pytest.raises(ConfigError, match=rf"pooling: received {method}, but .*rows\.onnx has no"):
        vectors(rows, pooling=method)


class TestFingerprint:
    def test_it_is_that_of_the_content_wherever_the_files_are(self, tmp_path: Path) -> None:
        one, other = (write_model(tmp_path / name / "model.onnx") for name in ("a", "b"))
        assert resolve_spec(settings(one)) != resolve_spec(settings(other))
        assert resolve_spec(settings(one)).fingerprint == resolve_spec(settings(other)).fingerprint

    @pytest.mark.parametrize("name", ["model.onnx_data", "w" * 200])
    def test_weights_in_other_files_count(self, tmp_path: Path, name: str) -> None:
        path = write_model(tmp_path / "model.onnx", external=name)
        before = resolve_spec(settings(path)).fingerprint
        np.testing.assert_allclose(
            vectors(path), unit_rows(expected_rows(photos(3, SIDE))), atol=1e-5
        )
        weights = bytearray((tmp_path / name).read_bytes())
        weights[0] ^= 1
        (tmp_path / name).write_bytes(weights)
        assert resolve_spec(settings(path)).fingerprint != before
        (tmp_path / name).unlink()
        with pytest.raises(ModelError, match=rf"cannot read .*{name}: No such file"):
            resolve_spec(settings(path))

    def test_the_preparation_counts_but_not_how_it_is_written(self, tmp_path: Path) -> None:
        specs = []
        changes: list[dict[str, Any]] = [{}, {"do_convert_rgb": True}, {"crop_size": 32}]
        for number, change in enumerate([*changes, {"image_std": [0.2, 0.2, 0.2]}]):
            path = write_model(tmp_path / str(number) / "model.onnx", config=CLIP | change)
            specs.append(resolve_spec(settings(path)))
        same, also, again, other = (spec.fingerprint for spec in specs)
        assert same == also == again != other
        kind = Kind(same, specs[0].weights, specs[0].fields)
        assert "preprocessor_config.json" in difference(kind, specs[3])
        assert "embedding.model" not in difference(kind, specs[3])

    def test_a_difference_names_the_model(self, tmp_path: Path) -> None:
        spec = resolve_spec(settings(write_model(tmp_path / "model.onnx")))
        vgg16 = resolve_spec(EmbeddingSettings())
        before = Kind(spec.fingerprint, spec.weights, spec.fields)
        text = difference(before, vgg16)
        assert f"made with embedding.model {tmp_path / 'model.onnx'}, embedding.input_size" in text
        assert "settings say embedding.model vgg16" in text
        write_model(tmp_path / "model.onnx", dimension=7)
        text = difference(before, resolve_spec(settings(tmp_path / "model.onnx")))
        assert text.count("model.onnx (SHA-256 ") == 2


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ({"weights": "imagenet"}, "weights: received imagenet, but .* own weights; leave it out"),
        ({"resize": "letterbox"}, "resize: received letterbox, but preprocessor_config.json"),
        ({"input_size": 64}, "input_size: received 64, but the input of .* is 32"),
    ],
)
def test_settings_without_effect_are_refused(
    tmp_path: Path, others: dict[str, Any], message: str
) -> None:
    path = write_model(tmp_path / "model.onnx")
    with pytest.raises(ConfigError, match=rf"embedding\.{message}"):
        resolve_spec(settings(path, **others))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"config": None}, r"needs a preprocessor_config\.json in its folder"),
        ({"inputs": ("pixel_values", "input_ids")}, "inputs input_ids, pixel_values|inputs pixel"),
        ({"outputs": ("one", "two")}, "has the outputs one, two; needed: one of image_embeds"),
        ({"batch": 4}, r"input has shape \[4,.*needed: \(n, 3, 32, 32\), with n dynamic or 1"),
        ({"side": 64}, r"input has shape .*64.*needed: \(n, 3, 32, 32\)"),
    ],
)
def test_a_model_that_cannot_be_used_is_refused(
    tmp_path: Path, model: dict[str, Any], message: str
) -> None:
    path = write_model(tmp_path / "model.onnx", **model)
    with pytest.raises(ModelError, match=message):
        load_embedder(settings(path))


@pytest.mark.parametrize("content", [b"", b"no model", b"\x08\x09" * 1000])
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, content: bytes) -> None:
    path = write_model(tmp_path / "model.onnx")
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"cannot read .*model\.onnx"):
        load_embedder(settings(path))


@pytest.mark.parametrize("name", ["../model.onnx", "/etc/hostname"])
def test_weights_outside_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    path = write_model(tmp_path / "model.onnx", external="x" * len(name))
    path.write_bytes(path.read_bytes().replace(b"x" * len(name), name.encode()))
    with pytest.raises(ModelError, match="which is outside its folder"):
        resolve_spec(settings(path))


def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"cannot read .*gone\.onnx"):
        resolve_spec(settings(tmp_path / "gone.onnx"))


def test_openvino_is_needed(tmp_path: Path) -> None:
    path = write_model(tmp_path / "model.onnx")
    with pytest.raises(EngineUnavailableError, match=r"received tensorflow, but .* ONNX model"):
        load_embedder(settings(path, engine="tensorflow"))
    with pytest.raises(
        EngineUnavailableError, match=r"ONNX model .* needs OpenVINO.*openvino\.txt"
    ):
        resolve_engine("auto", resolve_spec(settings(path)), installed=False)


def test_a_model_that_is_replaced_while_it_is_loaded_is_refused(tmp_path: Path) -> None:
    from indexer.embedding.models import onnx_file

    path = write_model(tmp_path / "model.onnx")
    spec = resolve_spec(settings(path))
    write_model(path, dimension=7)
    with pytest.raises(ModelError, match="was replaced while it was loaded"):
        onnx_file.load(spec, settings(path), None)


def test_bfloat16_is_used_only_if_it_gives_the_same_vectors(tmp_path: Path) -> None:
    path = write_model(tmp_path / "model.onnx", dimension=64)
    exact = vectors(path)
    received = vectors(path, precision="auto")
    assert (exact * received).sum(axis=1).min() >= 0.9999

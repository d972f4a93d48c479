"""`.keras` files: the vectors are those of the model, and no code in a file is run."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from indexer.config import EmbeddingSettings
from indexer.embedding import Embedder, load_embedder, resolve_spec
from indexer.embedding.base import unit_rows
from indexer.embedding.pooling import pooled
from indexer.errors import ConfigError, ModelError
from tests.indexer.embedding.embedder_contract import EmbedderContract, photos
from tests.onnx_models import CLIP

# Keras's own, when it saves a variable of TensorFlow under NumPy 2.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't:DeprecationWarning"
)
SIDE = 32


def settings(path: Path, **others: Any) -> EmbeddingSettings:
    return EmbeddingSettings.model_validate({"model": str(path), "precision": "float32", **others})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of one model: `maps`, `rows`, and `any` for maps of photos of any size."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    folder = tmp_path_factory.mktemp("keras")
    steps = [
        layers.Rescaling(1 / 127.5, -1),
        layers.Conv2D(8, 5, 4, activation="relu"),
        layers.Conv2D(6, 3, 2, activation="relu"),
    ]
    maps = keras.Sequential([keras.Input((SIDE, SIDE, 3)), *steps])
    maps.save(folder / "maps.keras")
    values = layers.Dense(5)(layers.GlobalAveragePooling2D()(maps.outputs[0]))
    keras.Model(maps.inputs, values).save(folder / "rows.keras")
    keras.Sequential([keras.Input((None, None, 3)), *steps]).save(folder / "any.keras")
    return folder


def outputs(path: Path, images: Any) -> Any:
    import keras

    model = keras.saving.load_model(path)
    return keras.Model(model.inputs[0], model.outputs[0])(images.astype(np.float32)).numpy()


@pytest.fixture(scope="module", params=["tensorflow", "openvino"])
def rows(request: pytest.FixtureRequest, folder: Path) -> Embedder:
    pytest.importorskip(request.param)
    return load_embedder(settings(folder / "rows.keras", engine=request.param))


class TestKerasFile(EmbedderContract):
    @pytest.fixture
    def embedder(self, rows: Embedder) -> Embedder:
        return rows

    def test_vectors_are_the_outputs(self, embedder: Embedder, folder: Path) -> None:
        images = photos(3, SIDE)
        expected = unit_rows(outputs(folder / "rows.keras", images))
        np.testing.assert_allclose(embedder.embed_batch(images), expected, atol=1e-5)
        assert (embedder.dimension, embedder.spec.input_size) == (5, SIDE)


@pytest.mark.parametrize("method", ["average", "max", "gem"])
@pytest.mark.parametrize(("name", "size"), [("maps", "auto"), ("any", 48)])
def test_maps_are_pooled(folder: Path, name: str, size: Any, method: Any) -> None:
    path = folder / f"{name}.keras"
    images = photos(2, SIDE if size == "auto" else size)
    expected = unit_rows(pooled(outputs(path, images), method))
    embedder = load_embedder(settings(path, input_size=size, pooling=method))
    np.testing.assert_allclose(embedder.embed_batch(images), expected, atol=1e-5)


def test_the_description_of_the_input_beside_the_file_is_followed(
    folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "rows.keras"
    path.write_bytes((folder / "rows.keras").read_bytes())
    plain = resolve_spec(settings(path))
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(CLIP))
    embedder = load_embedder(settings(path))
    assert embedder.spec.fingerprint != plain.fingerprint
    image = Image.fromarray(photos(1, 64)[0]).resize((80, 60))
    cropped = image.resize((53, 40), Image.Resampling.BICUBIC).crop((10, 4, 42, 36))
    pixels = np.asarray(cropped, np.float32)[None] / 255
    values = (pixels - np.array(CLIP["image_mean"])) / np.array(CLIP["image_std"])
    expected = unit_rows(outputs(folder / "rows.keras", values))
    np.testing.assert_allclose(embedder.embed([image]), expected, atol=1e-5)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(CLIP | {"crop_size": 40}))
    with pytest.raises(ModelError, match=r"takes photos of 32 pixels, but their preparation .* 40"):
        resolve_spec(settings(path))


@pytest.mark.parametrize(
    ("name", "others", "message"),
    [
        ("any", {}, "input_size: received auto, but the input of .* has any size"),
        ("maps", {"input_size": 64}, "input_size: received 64, but the input of .* is 32"),
        ("maps", {"weights": "untrained"}, "weights: received untrained, .* its own weights"),
    ],
)
def test_settings_that_contradict_the_file_are_refused(
    folder: Path, name: str, others: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=rf"embedding\.{message}"):
        resolve_spec(settings(folder / f"{name}.keras", **others))


def test_rows_cannot_be_pooled(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"pooling: received gem, but .* has no feature maps"):
        load_embedder(settings(folder / "rows.keras", pooling="gem"))


def test_code_in_a_file_is_refused(tmp_path: Path) -> None:
    import keras

    photo = keras.Input((SIDE, SIDE, 3))
    touched = str(tmp_path / "executed")
    trap = keras.layers.Lambda(lambda x, path=touched: (open(path, "w"), x[:, 0, 0])[1])  # noqa: SIM115, PTH123
    trap.compute_output_shape = lambda shape: (shape[0], 3)
    keras.Model(photo, trap(photo)).save(tmp_path / "trap.keras")
    (tmp_path / "executed").unlink(missing_ok=True)
    with pytest.raises(ModelError, match=r"cannot load .*trap\.keras .*Lambda"):
        load_embedder(settings(tmp_path / "trap.keras"))
    assert not (tmp_path / "executed").exists()


def test_names_of_other_modules_in_a_file_are_refused(folder: Path, tmp_path: Path) -> None:
    """As in CVE-2025-1550: a layer whose class is any function of any module."""
    path = tmp_path / "trap.keras"
    touched = str(tmp_path / "executed")
    with zipfile.ZipFile(folder / "rows.keras") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    config["config"]["layers"][1] |= {
        "module": "os",
        "class_name": "function",
        "registered_name": "system",
        "config": f"touch {touched}",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in (members | {"config.json": json.dumps(config).encode()}).items():
            archive.writestr(name, data)
    with pytest.raises(ModelError, match=r"cannot load .*trap\.keras"):
        load_embedder(settings(path))
    assert not Path(touched).exists()


@pytest.mark.parametrize("content", [b"", b"no model", b"PK\x03\x04cut"])
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "own.keras").write_bytes(content)
    with pytest.raises(ModelError, match=r"cannot read .*own\.keras"):
        resolve_spec(settings(tmp_path / "own.keras"))


def test_a_model_of_something_else_is_refused(tmp_path: Path) -> None:
    import keras

    keras.Sequential([keras.Input((7,)), keras.layers.Dense(2)]).save(tmp_path / "table.keras")
    with pytest.raises(ModelError, match=r"input has shape \[None, 7\]; needed: square photos"):
        resolve_spec(settings(tmp_path / "table.keras"))
    photo = keras.Input((SIDE, SIDE, 3))
    keras.Model(photo, [photo, photo]).save(tmp_path / "two.keras")
    with pytest.raises(ModelError, match="one input and one output"):
        load_embedder(settings(tmp_path / "two.keras"))
    keras.Model(photo, keras.layers.Reshape((-1, 3))(photo)).save(tmp_path / "lines.keras")
    with pytest.raises(ModelError, match=r"needed: \(n, side, side, 3\) to \(n, d\)"):
        load_embedder(settings(tmp_path / "lines.keras"))

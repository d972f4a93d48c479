"""The dense layers of VGG16: their values are those of Keras, from any file of a whole VGG16.

The layers are made narrower, as 119 million weights take long to write and to read.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from indexer.config import EmbeddingSettings
from indexer.embedding import load_embedder, resolve_spec, weights
from indexer.embedding.calibration import calibrate
from indexer.embedding.weights import load_weights
from indexer.errors import ConfigError, UnsupportedByModelError, WeightsError
from tests.indexer.embedding.embedder_contract import photos

NARROW = {"fc1": (7 * 7 * 512, 24), "fc2": (24, 16)}
UNTRAINED = EmbeddingSettings(model="vgg16-fc2", weights="untrained", precision="float32")


@pytest.fixture(scope="module", autouse=True)
def _narrow() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(weights, "DENSE_SHAPES", NARROW)
        yield


@pytest.fixture(scope="module")
def keras_model() -> Any:
    """Keras's own layers holding the untrained weights, and the outputs of both dense ones."""
    import keras

    maps = keras.applications.VGG16(weights=None, include_top=False, input_shape=(224, 224, 3))
    values = keras.layers.Flatten()(maps.output)
    fc1 = keras.layers.Dense(24, activation="relu", name="fc1")(values)
    fc2 = keras.layers.Dense(16, activation="relu", name="fc2")(fc1)
    classes = keras.layers.Dense(5, name="predictions")(fc2)
    model = keras.Model(maps.input, [fc1, fc2, classes])
    for layer, pair in load_weights(resolve_spec(UNTRAINED)).items():
        model.get_layer(layer).set_weights(pair)
    return model


@pytest.mark.parametrize("engine", ["tensorflow", "openvino"])
def test_vectors_are_the_outputs_of_keras_after_relu(keras_model: Any, engine: str) -> None:
    pytest.importorskip(engine)
    from keras.applications.vgg16 import preprocess_input

    images = photos(2, 224)
    *expected, _ = keras_model(preprocess_input(images.astype(np.float32)))
    for model, values in zip(("vgg16-fc1", "vgg16-fc2"), expected, strict=True):
        settings = UNTRAINED.model_copy(update={"model": model, "engine": engine})
        received = load_embedder(settings).embed_batch(images)
        norms = np.linalg.norm(values, axis=1, keepdims=True)
        np.testing.assert_allclose(received, values / norms, atol=1e-5)


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't:DeprecationWarning")
@pytest.mark.parametrize("name", ["whole.h5", "only.weights.h5", "whole.keras"])
def test_the_file_of_a_whole_vgg16_is_read(keras_model: Any, tmp_path: Path, name: str) -> None:
    save = keras_model.save_weights if ".weights." in name else keras_model.save
    save(tmp_path / name)
    own = UNTRAINED.model_copy(update={"weights": str(tmp_path / name)})
    expected, received = (load_weights(resolve_spec(each)) for each in (UNTRAINED, own))
    assert list(received) == list(expected) == [*weights.LAYERS, "fc1", "fc2"]
    for layer, pair in expected.items():
        for one, other in zip(received[layer], pair, strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_file_without_dense_layers_is_refused_by_layer() -> None:
    own = UNTRAINED.model_copy(update={"weights": str(weights.FASHION_FILE)})
    with pytest.raises(WeightsError, match=r"kernel of layer fc1 does not fit VGG16: .*none"):
        load_weights(resolve_spec(own))


@pytest.mark.parametrize("model", ["vgg16-fc1", "vgg16-fc2"])
def test_a_dense_layer_has_4096_values_and_a_fingerprint_of_its_own(model: str) -> None:
    spec = resolve_spec(UNTRAINED.model_copy(update={"model": model}))
    assert (spec.dimension, spec.input_size) == (4096, 224)
    pooled = resolve_spec(UNTRAINED.model_copy(update={"model": "vgg16"}))
    assert spec.fingerprint != pooled.fingerprint


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"weights": "fashion"}, r"weights: received fashion, which has no dense layers; .* whole"),
        ({"input_size": 96}, "input_size: received 96; vgg16-fc2 needs 224"),
        ({"pooling": "gem"}, "pooling: received gem, but vgg16-fc2 has no feature maps"),
    ],
)
def test_settings_that_a_dense_layer_cannot_have_are_refused(
    other: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=rf"embedding\.{message}"):
        resolve_spec(UNTRAINED.model_copy(update=other))


def test_what_needs_feature_maps_or_convolutions_only_is_refused() -> None:
    embedder = load_embedder(UNTRAINED)
    with pytest.raises(UnsupportedByModelError, match="vgg16-fc2"):
        embedder.required_cells()
    with pytest.raises(ConfigError, match=r"embedding\.model: received vgg16-fc2; .* vgg16 only"):
        calibrate(UNTRAINED, photos(2, 224))


def test_a_model_that_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"embedding\.model: received 'vgg17'; allowed: vgg16, "):
        resolve_spec(EmbeddingSettings(model="vgg17"))

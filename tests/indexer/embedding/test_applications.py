"""Every row of the table of keras.applications gives the vectors that Keras gives."""

import inspect
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from indexer.config import EmbeddingSettings
from indexer.embedding import Embedder, load_embedder, resolve_spec
from indexer.embedding.models.applications import APPLICATIONS
from indexer.embedding.spec import UNTRAINED_SEED
from indexer.errors import ConfigError, UnsupportedPrecisionError, WeightsError
from tests.conftest import ROOT
from tests.indexer.embedding.embedder_contract import EmbedderContract, photos

MOBILENET = EmbeddingSettings(
    model="mobilenet_v3_large", weights="untrained", input_size=64, precision="float32"
)


def load(model: str) -> Embedder:
    side = max(64, APPLICATIONS[model].min_side)
    return load_embedder(MOBILENET.model_copy(update={"model": model, "input_size": side}))


def keras_vectors(model: str, pooling: str, images: np.ndarray) -> Any:
    """The pooled outputs of Keras's own model with the untrained weights."""
    import keras

    row, side = APPLICATIONS[model], images.shape[1]
    state = random.getstate()
    random.seed(UNTRAINED_SEED)
    built = getattr(keras.applications, row.function)(
        weights=None, include_top=False, input_shape=(side, side, 3), pooling=pooling
    )
    random.setstate(state)
    prepare = getattr(keras.applications, row.module).preprocess_input
    vectors = built(prepare(images.astype(np.float32))).numpy()
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


# Their vectors come from the last maps, and from a layer after the pooling. The others run through
# the same code.
CONTRACT = ("mobilenet_v3_large", "convnext_tiny")


class Row:
    """What differs from row to row: subclass with a fixture `embedder`."""

    def test_vectors_are_those_of_keras(self, embedder: Embedder) -> None:
        images = photos(4, embedder.spec.input_size)
        expected = keras_vectors(embedder.spec.model, "avg", images)
        np.testing.assert_allclose(embedder.embed_batch(images), expected, atol=1e-4)

    def test_the_table_says_the_dimension(self, embedder: Embedder) -> None:
        assert embedder.dimension == APPLICATIONS[embedder.spec.model].dimension

    test_the_last_maps_are_given_for_photos_of_any_size = (
        EmbedderContract.test_the_last_maps_are_given_for_photos_of_any_size
    )


@pytest.fixture(scope="module", params=[name for name in APPLICATIONS if name not in CONTRACT])
def other(request: pytest.FixtureRequest) -> Embedder:
    return load(request.param)


class TestRow(Row):
    @pytest.fixture
    def embedder(self, other: Embedder) -> Embedder:
        return other


@pytest.fixture(scope="module", params=CONTRACT)
def application(request: pytest.FixtureRequest) -> Embedder:
    return load(request.param)


class TestApplications(Row, EmbedderContract):
    @pytest.fixture
    def embedder(self, application: Embedder) -> Embedder:
        return application


@pytest.fixture(scope="module")
def mobilenet_on_tensorflow() -> Embedder:
    update = {"engine": "tensorflow", "pooling": "max"}
    return load_embedder(MOBILENET.model_copy(update=update))


class TestOnTensorFlow(EmbedderContract):
    @pytest.fixture
    def embedder(self, mobilenet_on_tensorflow: Embedder) -> Embedder:
        return mobilenet_on_tensorflow

    def test_the_maximum_is_that_of_keras(self, embedder: Embedder) -> None:
        images = photos(4, 64)
        expected = keras_vectors("mobilenet_v3_large", "max", images)
        np.testing.assert_allclose(embedder.embed_batch(images), expected, atol=1e-4)

    def test_bfloat16_needs_openvino(self) -> None:
        update = {"engine": "tensorflow", "precision": "bfloat16"}
        with pytest.raises(UnsupportedPrecisionError, match=r"mobilenet_v3_large needs openvino"):
            load_embedder(MOBILENET.model_copy(update=update))


@pytest.mark.parametrize("name", APPLICATIONS)
def test_the_weights_are_the_ones_that_keras_pins(name: str) -> None:
    import keras

    row = APPLICATIONS[name]
    code = inspect.getsource(sys.modules[getattr(keras.applications, row.function).__module__])
    assert f'"{row.imagenet.digest}"' in code
    spec = resolve_spec(EmbeddingSettings(model=name, weights="imagenet"))
    assert (spec.input_size, spec.dimension) == (row.side, row.dimension)
    assert spec.weights_sha256 == row.imagenet.identity


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't:DeprecationWarning")
@pytest.mark.parametrize("name", ["own.weights.h5", "own.keras", "own.h5"])
def test_weights_can_be_a_file(tmp_path: Path, name: str) -> None:
    import keras

    model = keras.applications.MobileNetV3Large(
        weights=None, include_top=False, input_shape=(64, 64, 3)
    )
    save = model.save_weights if ".weights." in name else model.save
    save(tmp_path / name)
    images = photos(2, 64)
    expected = model(images.astype(np.float32)).numpy().mean(axis=(1, 2))
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    embedder = load_embedder(MOBILENET.model_copy(update={"weights": str(tmp_path / name)}))
    np.testing.assert_allclose(embedder.embed_batch(images), expected, atol=1e-4)


@pytest.mark.parametrize("content", [b"", b"no weights"])
def test_a_file_that_does_not_fit_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "own.h5").write_bytes(content)
    own = MOBILENET.model_copy(update={"weights": str(tmp_path / "own.h5")})
    with pytest.raises(WeightsError, match=r"own\.h5 as weights of mobilenet_v3_large"):
        load_embedder(own)
    gone = MOBILENET.model_copy(update={"weights": str(tmp_path / "gone.h5")})
    with pytest.raises(WeightsError, match=r"cannot read .*gone\.h5"):
        resolve_spec(gone)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"weights": "fashion"}, r"weights: received 'fashion'; for inception_v3: imagenet, untr"),
        ({"weights": "own.npz"}, r"weights: received 'own.npz'; .* a path that ends in .h5"),
        ({"input_size": 64}, "input_size: received 64; inception_v3 needs at least 75"),
    ],
)
def test_settings_that_do_not_go_with_the_model_are_refused(
    other: dict[str, object], message: str
) -> None:
    settings = EmbeddingSettings(model="inception_v3", weights="untrained")
    with pytest.raises(ConfigError, match=rf"embedding\.{message}"):
        resolve_spec(settings.model_copy(update=other))


def test_tensorflow_gets_its_threads_before_a_model_is_built() -> None:
    script = (
        "from indexer.config import EmbeddingSettings\n"
        "from indexer.embedding import load_embedder\n"
        "settings = EmbeddingSettings(model='mobilenet_v3_large', weights='untrained',"
        " input_size=32, engine='tensorflow')\n"
        "load_embedder(settings, threads=1)\n"
        "import tensorflow as tf\n"
        "assert tf.config.threading.get_intra_op_parallelism_threads() == 1"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, timeout=200, check=False)
    assert done.returncode == 0


def test_loading_leaves_the_random_numbers_of_the_process_alone() -> None:
    random.seed(5)
    expected = random.random()
    random.seed(5)
    load_embedder(MOBILENET)
    assert random.random() == expected

"""OpenVINO gives the vectors that TensorFlow gives, and the settings say which one computes."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from indexer.config import EmbeddingSettings
from indexer.embedding import Embedder, load_embedder, resolve_spec
from indexer.embedding.calibration import agreement, calibrate
from indexer.embedding.engines.precision import INT8_FLAGS, cpu_flags, resolve_precision
from indexer.embedding.engines.runtime import resolve_engine
from indexer.embedding.int8 import write_int8
from indexer.errors import EngineUnavailableError
from tests.conftest import ROOT
from tests.indexer.embedding.embedder_contract import EmbedderContract, photos
from tests.indexer.embedding.narrow import narrow

FLOAT32 = EmbeddingSettings(
    weights="untrained", input_size=32, precision="float32", engine="openvino"
)
BFLOAT16 = FLOAT32.model_copy(update={"precision": "bfloat16"})

needs_bfloat16 = pytest.mark.skipif(
    resolve_precision("auto") != "bfloat16", reason="the processor does not compute in bfloat16"
)
needs_int8 = pytest.mark.skipif(
    not INT8_FLAGS & cpu_flags(), reason="the processor does not compute in int8"
)


@pytest.fixture(scope="module")
@narrow
def float32() -> Embedder:
    pytest.importorskip("openvino", reason="OpenVINO is not installed")
    return load_embedder(FLOAT32)


@pytest.fixture(scope="module")
@narrow
def bfloat16() -> Embedder:
    pytest.importorskip("openvino", reason="OpenVINO is not installed")
    return load_embedder(BFLOAT16)


@pytest.fixture(scope="module")
def int8_settings(tmp_path_factory: pytest.TempPathFactory) -> EmbeddingSettings:
    """A model calibrated on the pictures of the contract."""
    pytest.importorskip("openvino", reason="OpenVINO is not installed")
    path = tmp_path_factory.mktemp("calibrated") / "own.int8"
    write_int8(path, *calibrate(FLOAT32, photos(60, 32)))
    return EmbeddingSettings(weights=str(path), engine="openvino")


@pytest.fixture(scope="module")
def int8(int8_settings: EmbeddingSettings) -> Embedder:
    return load_embedder(int8_settings)


class TestOpenVinoFloat32(EmbedderContract):
    @pytest.fixture
    def embedder(self, float32: Embedder) -> Embedder:
        return float32

    @narrow
    def test_it_agrees_with_tensorflow(self, embedder: Embedder) -> None:
        other = load_embedder(FLOAT32.model_copy(update={"engine": "tensorflow"}))
        images = photos(8, 32)
        np.testing.assert_allclose(
            embedder.embed_batch(images), other.embed_batch(images), atol=1e-5
        )
        images = photos(2, 48)
        maps = other.activations(images)
        np.testing.assert_allclose(embedder.activations(images), maps, atol=1e-4 * maps.max())

    @narrow
    def test_one_thread_gives_the_same(self, embedder: Embedder) -> None:
        images = photos(3, 32)
        single = load_embedder(FLOAT32, threads=1).embed_batch(images)
        np.testing.assert_allclose(single, embedder.embed_batch(images), atol=1e-6)


@needs_bfloat16
class TestOpenVinoBfloat16(EmbedderContract):
    @pytest.fixture
    def embedder(self, bfloat16: Embedder) -> Embedder:
        return bfloat16

    def test_it_agrees_with_float32(self, embedder: Embedder, float32: Embedder) -> None:
        images = photos(16, 32)
        one, other = embedder.embed_batch(images), float32.embed_batch(images)
        assert not np.array_equal(one, other)
        assert (one * other).sum(axis=1).min() >= 0.9999


@needs_int8
class TestOpenVinoInt8(EmbedderContract):
    @pytest.fixture
    def embedder(self, int8: Embedder) -> Embedder:
        return int8

    def test_it_is_near_float32_and_has_a_fingerprint_of_its_own(self, embedder: Embedder) -> None:
        images = photos(16, 32)
        float32 = load_embedder(FLOAT32)
        one, other = embedder.embed_batch(images), float32.embed_batch(images)
        assert (one * other).sum(axis=1).min() >= 0.999
        assert embedder.spec.numeric_class == "int8"
        assert embedder.spec.fingerprint != float32.spec.fingerprint


class TestChoice:
    def test_auto_takes_openvino_where_it_is_installed(self) -> None:
        spec = resolve_spec(EmbeddingSettings())
        assert resolve_engine("auto", spec, installed=True) == "openvino"
        assert resolve_engine("auto", spec, installed=False) == "tensorflow"
        assert resolve_engine("tensorflow", spec, installed=True) == "tensorflow"

    def test_what_is_not_installed_is_an_error_that_says_how(self) -> None:
        spec = resolve_spec(EmbeddingSettings())
        with pytest.raises(EngineUnavailableError, match=r"install -r requirements-openvino\.txt"):
            resolve_engine("openvino", spec, installed=False)

    @needs_int8
    def test_int8_needs_openvino(self, int8_settings: EmbeddingSettings) -> None:
        with pytest.raises(EngineUnavailableError, match=r"own\.int8 .*set embedding\.engine to"):
            load_embedder(int8_settings.model_copy(update={"engine": "tensorflow"}))
        with pytest.raises(EngineUnavailableError, match=r"own\.int8 needs OpenVINO"):
            resolve_engine("auto", resolve_spec(int8_settings), installed=False)

    def test_engines_share_a_fingerprint(self) -> None:
        settings = EmbeddingSettings()
        other = settings.model_copy(update={"engine": "tensorflow"})
        assert resolve_spec(settings).fingerprint == resolve_spec(other).fingerprint


@pytest.mark.parametrize(
    ("engine", "check"),
    [
        ("openvino", "assert not {'tensorflow', 'keras'} & set(sys.modules)"),
        (
            "tensorflow",
            "import tensorflow as tf\n"
            "assert tf.config.threading.get_intra_op_parallelism_threads() == 1",
        ),
    ],
)
def test_a_process_loads_only_its_engine_with_its_threads(engine: str, check: str) -> None:
    pytest.importorskip(engine, reason=f"{engine} is not installed")
    script = (
        "import sys\n"
        "from indexer.config import EmbeddingSettings\n"
        "from indexer.embedding import load_embedder\n"
        f"settings = EmbeddingSettings(weights='untrained', input_size=32, engine='{engine}')\n"
        "load_embedder(settings, threads=1)\n"
        f"load_embedder(settings, threads=1)\n{check}"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@needs_bfloat16
def test_real_photos_get_the_same_vectors_in_bfloat16(test_data: Path) -> None:
    pytest.importorskip("openvino", reason="OpenVINO is not installed")
    with (test_data / "clothing" / "labels.csv").open() as file:
        names = [row["image"] for row in csv.DictReader(file)][::15]
    pictures = [Image.open(test_data / "clothing" / name).convert("RGB") for name in names]
    half, single = (
        load_embedder(EmbeddingSettings(precision=precision, engine="openvino")).embed(pictures)
        for precision in ("bfloat16", "float32")
    )
    # Over all 1,529 photos the minimum is 0.999988, and 99.7 % of the ten nearest are the same.
    assert agreement(half, single).cosine >= 0.99995

"""A linear layer in a weights file: applied after the pooling, by every engine."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from indexer.config import EmbeddingSettings
from indexer.embedding import Embedder, load_embedder, resolve_spec
from indexer.embedding.attribution import contributions
from indexer.embedding.base import VGG16_CELLS, unit_rows
from indexer.embedding.calibration import calibrate
from indexer.embedding.head import Head, HeadManifest
from indexer.embedding.headed import HeadedEmbedder
from indexer.embedding.regions import locate
from indexer.embedding.weights import load_weights, save_headed
from indexer.errors import WeightsError
from tests.fakes import PoolingEmbedder
from tests.indexer.embedding.embedder_contract import EmbedderContract, photos
from tests.indexer.embedding.narrow import narrow

UNTRAINED = EmbeddingSettings(weights="untrained", input_size=32, precision="float32")
DIMENSION = 24


def manifest(**changes: object) -> HeadManifest:
    values: dict[str, object] = {
        "model": "vgg16",
        "input_size": 32,
        "resize": "bilinear",
        "pooling": "average",
        "features": 512,
        "dimension": DIMENSION,
        "base_fingerprint": "",
    }
    return HeadManifest.model_validate(values | changes)


def a_head() -> Head:
    random = np.random.RandomState(0)
    kernel = random.standard_normal((512, DIMENSION)).astype(np.float32)
    return Head(kernel, random.uniform(-0.1, 0.1, DIMENSION).astype(np.float32))


@pytest.fixture(scope="module")
@narrow
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("head") / "own.npz"
    save_headed(path, load_weights(resolve_spec(UNTRAINED)), a_head(), manifest())
    return path


def settings_of(file: Path, **changes: object) -> EmbeddingSettings:
    return EmbeddingSettings(weights=str(file), precision="float32").model_copy(update=changes)


@pytest.fixture(scope="module")
@narrow
def headed(file: Path) -> Embedder:
    return load_embedder(settings_of(file))


@pytest.fixture(scope="module")
@narrow
def base() -> Embedder:
    return load_embedder(UNTRAINED)


class TestContract(EmbedderContract):
    @pytest.fixture
    def embedder(self, headed: Embedder) -> Embedder:
        return headed


@pytest.mark.parametrize("engine", ["tensorflow", "openvino"])
@narrow
def test_the_head_follows_the_pooling_on_both_engines(
    file: Path, base: Embedder, engine: str
) -> None:
    if engine == "openvino":
        pytest.importorskip("openvino", reason="OpenVINO is not installed")
    embedder = load_embedder(settings_of(file, engine=engine))
    assert embedder.runs_on.startswith(engine)
    expected = unit_rows(a_head()(base.embed_batch(photos(4, 32))))
    # The convolutions are stored as float16.
    np.testing.assert_allclose(embedder.embed_batch(photos(4, 32)), expected, atol=2e-3)


def test_the_file_decides_size_dimension_and_fingerprint(file: Path, headed: Embedder) -> None:
    spec = resolve_spec(settings_of(file))
    assert spec == headed.spec
    assert (spec.input_size, spec.dimension, headed.dimension) == (32, DIMENSION, DIMENSION)
    assert spec.fingerprint != resolve_spec(UNTRAINED).fingerprint


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"input_size": 64}, "input_size: received 64, but .* was made for 32; set it to 32"),
        ({"pooling": "max"}, "pooling: received max"),
        ({"model": "vgg16-fc1"}, "model: received vgg16-fc1"),
    ],
)
def test_other_settings_than_those_of_the_training_are_refused(
    file: Path, changes: dict[str, object], words: str
) -> None:
    with pytest.raises(WeightsError, match=rf"embedding\.{words}"):
        resolve_spec(settings_of(file, **changes))


@pytest.mark.parametrize(
    "change",
    [
        {"head/kernel": np.zeros((512, 3), np.float32)},
        {"head/kernel": np.full((512, DIMENSION), np.inf, np.float32)},
        {"head/bias": np.zeros(3, np.float32)},
        {"head/manifest": np.frombuffer(b"{}", np.uint8)},
        {"head/manifest": np.zeros(100_000, np.uint8)},
        {"head/manifest": np.array([{}])},
    ],
    ids=["shape", "infinite", "length", "fields", "large", "pickle"],
)
def test_a_damaged_head_is_refused(
    file: Path, tmp_path: Path, change: dict[str, np.ndarray]
) -> None:
    names = ("head/kernel", "head/bias", "head/manifest")
    with np.load(file) as arrays:
        np.savez(tmp_path / "bad.npz", **{**{name: arrays[name] for name in names}, **change})
    with pytest.raises(WeightsError, match=r"cannot read the head in .*bad\.npz"):
        load_embedder(settings_of(tmp_path / "bad.npz"))


def test_a_head_is_not_converted_to_int8(file: Path) -> None:
    with pytest.raises(WeightsError, match="which has a head"):
        calibrate(settings_of(file), photos(4, 32))


def test_the_parts_of_all_places_sum_up_to_the_score(headed: Embedder) -> None:
    first, second = headed.embed_batch(photos(2, 32))
    (maps,) = headed.activations(photos(2, 32)[:1])
    parts = contributions(maps, second, VGG16_CELLS, headed.head)
    assert parts.sum() == pytest.approx(float(first @ second), abs=1e-5)
    assert not contributions(np.zeros_like(maps), second, VGG16_CELLS, headed.head).any()


def test_a_head_that_only_turns_the_vectors_finds_the_product_in_the_same_box() -> None:
    base = PoolingEmbedder()
    product = Image.new("RGB", (90, 90), "red")
    photo = Image.new("RGB", (240, 240), "blue")
    photo.paste(product, (120, 24))
    random = np.random.RandomState(0).standard_normal((base.dimension, base.dimension))
    turn = np.linalg.qr(random)[0].astype(np.float32)
    turned = HeadedEmbedder(base, Head(turn, np.zeros(base.dimension, np.float32)))
    box = locate(photo, base, base.embed([product]))
    assert box is not None
    assert locate(photo, turned, turned.embed([product])) == pytest.approx(box)

"""Every way of pooling gives one vector for each photo, the same on both engines."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from indexer.config import EmbeddingSettings
from indexer.embedding import load_embedder, resolve_spec
from indexer.embedding.attribution import explain
from indexer.embedding.base import unit_rows
from indexer.embedding.calibration import calibrate
from indexer.embedding.pooling import Pooling, pooled
from indexer.embedding.regions import locate
from indexer.errors import ConfigError, UnsupportedByModelError
from tests.indexer.embedding.embedder_contract import photos
from tests.indexer.embedding.narrow import narrow

UNTRAINED = EmbeddingSettings(weights="untrained", input_size=64, precision="float32")


@given(st.integers(0, 10_000))
def test_the_generalised_mean_is_between_the_mean_and_the_maximum(seed: int) -> None:
    maps = np.random.default_rng(seed).random((2, 3, 4, 5)).astype(np.float32)
    mean, gem, largest = (pooled(maps, method) for method in ("average", "gem", "max"))
    assert mean.shape == gem.shape == largest.shape == (2, 5)
    assert (mean <= gem + 1e-6).all()
    assert (gem <= largest + 1e-6).all()


def test_the_generalised_mean_has_an_exponent_of_three_and_ignores_negative_values() -> None:
    maps = np.array([1, 2, 3, -4], np.float32).reshape(1, 2, 2, 1)
    np.testing.assert_allclose(pooled(maps, "gem"), [[(36 / 4) ** (1 / 3)]], rtol=1e-6)


def test_maps_of_one_position_are_pooled_to_that_position() -> None:
    maps = np.arange(1, 5, dtype=np.float32).reshape(1, 1, 1, 4)
    for method in ("average", "max", "gem"):
        np.testing.assert_allclose(pooled(maps, method), maps[:, 0, 0], rtol=1e-6)


@pytest.mark.parametrize("engine", ["tensorflow", "openvino"])
@narrow
def test_vectors_are_pooled_from_the_maps_at_the_end(engine: str) -> None:
    pytest.importorskip(engine)
    settings = UNTRAINED.model_copy(update={"engine": engine})
    images = photos(3, 64)
    average = load_embedder(settings)
    maps = average.activations(images)
    ends = maps.reshape(3, 2, 2, 2, 2, -1).max(axis=(2, 4))  # VGG16 ends in max-pooling
    methods: tuple[Pooling, ...] = ("max", "gem")
    others = [load_embedder(settings.model_copy(update={"pooling": each})) for each in methods]
    for method, embedder in zip(("average", *methods), (average, *others), strict=True):
        expected = unit_rows(pooled(ends, method))
        np.testing.assert_allclose(embedder.embed_batch(images), expected, atol=1e-5)


def test_pooling_is_in_the_fingerprint_unless_it_is_the_average() -> None:
    specs = {
        method: resolve_spec(UNTRAINED.model_copy(update={"pooling": method}))
        for method in ("average", "max", "gem")
    }
    assert len({spec.fingerprint for spec in specs.values()}) == 3
    assert "pooling" not in specs["average"].fields
    # As recorded before there was a choice.
    recorded = "b1bdacdb90106acc51ab1fc6e817bb666021cb1c5e894db1ce8b5ea6fb9ef857"
    assert specs["average"].fingerprint == recorded


@pytest.mark.parametrize("method", ["max", "gem"])
@narrow
def test_what_needs_the_mean_is_refused_with_a_code(method: Pooling) -> None:
    embedder = load_embedder(UNTRAINED.model_copy(update={"pooling": method}))
    photo = Image.new("RGB", (80, 80), "teal")
    vectors = embedder.embed([photo])
    for use in (
        lambda: explain(photo, vectors[0], embedder),
        lambda: locate(photo, embedder, vectors),
        lambda: embedder.activations(photos(1, 64)),
    ):
        with pytest.raises(UnsupportedByModelError, match=f"vgg16 with {method} pooling") as caught:
            use()
        assert caught.value.code == "unsupported_by_model"


def test_int8_needs_the_average() -> None:
    with pytest.raises(ConfigError, match=r"embedding\.pooling: received gem; .* average"):
        calibrate(UNTRAINED.model_copy(update={"pooling": "gem"}), photos(2, 64))

"""The grids of an explanation sum up to the similarity that they explain."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from indexer.config import EmbeddingSettings
from indexer.embedding import Embedder, load_embedder
from indexer.embedding.attribution import contributions, explain
from indexer.embedding.base import VGG16_CELLS, Cells, PixelBatch
from tests.fakes import PoolingEmbedder


@pytest.fixture(scope="module")
def untrained() -> Embedder:
    settings = EmbeddingSettings(weights="untrained", input_size=48, precision="float32")
    return load_embedder(settings)


def photos(seed: int, side: int) -> PixelBatch:
    small = np.random.default_rng(seed).integers(0, 256, (2, 6, 6, 3)).astype(np.uint8)
    sized = [Image.fromarray(photo).resize((side, side)) for photo in small]
    return np.stack([np.asarray(photo) for photo in sized])


def check(model: Embedder, pair: PixelBatch) -> None:
    first, second = model.embed_batch(pair)
    maps, other_maps = model.activations(pair)
    cosine = float(first.astype(np.float64) @ second)
    assert contributions(maps, second, VGG16_CELLS).sum() == pytest.approx(cosine, abs=1e-5)
    assert contributions(other_maps, first, VGG16_CELLS).sum() == pytest.approx(cosine, abs=1e-5)


@given(st.integers(0, 10_000))
def test_the_parts_of_all_places_sum_up_to_the_score(seed: int) -> None:
    check(PoolingEmbedder(), photos(seed, 80))


def test_the_parts_of_all_places_sum_up_to_the_score_of_the_real_model(
    untrained: Embedder,
) -> None:
    for seed in range(3):
        check(untrained, photos(seed, untrained.spec.input_size))


@given(
    arrays.arrays(np.float32, (5, 4, 3), elements=st.sampled_from([0, 0.5, 1, 7])),
    arrays.arrays(np.float32, 3, elements=st.sampled_from([0, 0.25, 1])),
)
def test_equal_largest_values_are_counted_once(
    maps: np.ndarray[tuple[int, int, int], np.dtype[np.float32]],
    other: np.ndarray[tuple[int], np.dtype[np.float32]],
) -> None:
    pooled = maps[:4].reshape(2, 2, 2, 2, 3).max(axis=(1, 3)).sum(axis=(0, 1))
    expected = pooled @ other / (np.linalg.norm(pooled) or 1)
    grid = contributions(maps, other, VGG16_CELLS)
    assert grid.shape == (5, 4)
    assert grid.sum() == pytest.approx(expected, rel=1e-5)
    assert not grid[4].any()


def test_a_photo_agrees_where_it_shows_what_the_other_does() -> None:
    model = PoolingEmbedder()
    photo = Image.new("RGB", (160, 120), "blue")
    photo.paste("red", (0, 0, 80, 60))
    red, blue = model.embed([Image.new("RGB", (80, 80), colour) for colour in ("red", "blue")])
    grid = explain(photo, red, model)
    assert grid.shape == (8, 8)
    assert grid[:4, :4].mean() > 1.5 * grid[4:, 4:].mean()
    grid = explain(photo, blue, model)
    assert grid[4:, 4:].mean() > 1.5 * grid[:4, :4].mean()


def test_any_size_of_the_model_gives_a_grid(untrained: Embedder) -> None:
    photo = Image.new("RGB", (30, 90), "teal")
    grid = explain(photo, untrained.embed([photo])[0], untrained)
    assert grid.shape == (8, 8)
    assert 0.5 < grid.sum() <= 1


def test_a_photo_that_excites_nothing_agrees_nowhere() -> None:
    maps = np.zeros((4, 4, 6), np.float32)
    assert not contributions(maps, np.ones(6, np.float32), VGG16_CELLS).any()


@given(st.integers(0, 10_000))
def test_without_max_pooling_the_parts_sum_up_to_the_score_too(seed: int) -> None:
    maps, other = np.random.default_rng(seed).normal(size=(2, 3, 5, 4)).astype(np.float32)
    vectors = [
        each.mean(axis=(0, 1)) / np.linalg.norm(each.mean(axis=(0, 1))) for each in (maps, other)
    ]
    grid = contributions(maps, vectors[1], Cells(32))
    assert grid.sum() == pytest.approx(float(vectors[0] @ vectors[1]), abs=1e-5)

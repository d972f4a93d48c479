"""The three ways from a photo to the model's square."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from indexer.embedding.resize import ResizeMethod, resize
from tests.bad_files import photo

METHODS: tuple[ResizeMethod, ...] = get_args(ResizeMethod)
sides = st.integers(1, 90)


@pytest.mark.parametrize("method", METHODS)
@given(width=sides, height=sides, side=sides)
def test_any_photo_becomes_a_contiguous_square_of_bytes(
    method: ResizeMethod, width: int, height: int, side: int
) -> None:
    square = resize(Image.new("RGB", (width, height), "red"), side, method)
    assert square.shape == (side, side, 3)
    assert square.dtype == np.uint8
    assert square.flags.c_contiguous


@pytest.mark.parametrize("method", METHODS)
def test_the_thinnest_photo_can_be_resized(method: ResizeMethod) -> None:
    assert resize(Image.new("RGB", (1, 10_000), "red"), 80, method).shape == (80, 80, 3)


def test_nearest_takes_the_pixel_at_the_centre_of_each_cell() -> None:
    image = photo(size=(100, 50))
    rows, columns = (
        ((np.arange(20) + 0.5) * 2.5).astype(int),
        ((np.arange(20) + 0.5) * 5).astype(int),
    )
    assert np.array_equal(resize(image, 20, "nearest"), np.asarray(image)[rows][:, columns])


def test_nearest_equals_pillow_nearest() -> None:
    image = photo(size=(123, 77))
    expected = image.resize((80, 80), Image.Resampling.NEAREST)
    assert np.array_equal(resize(image, 80, "nearest"), np.asarray(expected))


def test_bilinear_averages_fine_patterns_away() -> None:
    checks = Image.fromarray(np.indices((160, 160)).sum(0).astype(np.uint8) % 2 * 255).convert(
        "RGB"
    )
    assert np.abs(resize(checks, 20, "bilinear").astype(int) - 128).max() <= 3


@pytest.mark.parametrize(("size", "axis"), [((80, 20), 0), ((20, 80), 1)])
def test_letterbox_keeps_the_aspect_and_pads_with_white(size: tuple[int, int], axis: int) -> None:
    square = resize(Image.new("RGB", size, "black"), 40, "letterbox")
    inside = square.min(axis=2) == 0
    assert inside.any(axis=1 - axis).nonzero()[0].tolist() == list(range(15, 25))
    assert inside.any(axis=axis).all()
    assert (square[~inside] == 255).all()


def test_letterbox_of_a_square_is_bilinear() -> None:
    image = photo(size=(90, 90))
    assert np.array_equal(resize(image, 40, "letterbox"), resize(image, 40, "bilinear"))

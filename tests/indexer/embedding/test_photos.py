"""What the model sees of a photo."""

from dataclasses import replace

import numpy as np
import pytest

from indexer.embedding.photos import prepare
from indexer.embedding.resize import resize
from indexer.errors import BadParameterError
from indexer.images import Box, ImageLimits, crop, decode
from tests.bad_files import photo, saved
from tests.fakes import FAKE_SPEC

LARGE = saved(photo(size=(900, 700)), "JPEG")
BOXES: list[Box | None] = [None, (0.1, 0.2, 0.9, 0.7), (0.5, 0.5, 0.52, 0.51)]


@pytest.mark.parametrize("box", BOXES)
def test_reading_no_more_of_a_photo_than_needed_hardly_changes_what_the_model_sees(
    box: Box | None,
) -> None:
    whole = decode(LARGE)
    exact = resize(crop(whole, box or (0, 0, 1, 1)), FAKE_SPEC.input_size, "bilinear")
    received = prepare(LARGE, ImageLimits(), FAKE_SPEC, box)
    assert received.shape == exact.shape
    assert np.abs(received.astype(int) - exact).mean() < 3


def test_nearest_takes_the_pixels_of_the_whole_photo() -> None:
    spec = replace(FAKE_SPEC, resize="nearest")
    exact = resize(decode(LARGE), spec.input_size, "nearest")
    np.testing.assert_array_equal(prepare(LARGE, ImageLimits(), spec), exact)


@pytest.mark.parametrize("box", [(0.5, 0, 0.5, 1), (0.6, 0, 0.5, 1), (float("nan"), 0, 1, 1)])
def test_a_box_that_is_none_is_refused(box: Box) -> None:
    with pytest.raises(BadParameterError, match="box"):
        prepare(LARGE, ImageLimits(), FAKE_SPEC, box)

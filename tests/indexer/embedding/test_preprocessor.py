"""`preprocessor_config.json` is followed as Hugging Face's processors follow it, or refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from indexer.embedding.preprocessor import Preprocessor, read_preprocessor
from indexer.errors import ModelError
from tests.onnx_models import CLIP

STATISTICS = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.25, 0.5]}
PLAIN = {"resample": 2, **STATISTICS}
BICUBIC = Image.Resampling.BICUBIC


def photo(width: int, height: int) -> Image.Image:
    colours = np.random.default_rng(0).integers(0, 256, (9, 7, 3)).astype(np.uint8)
    return Image.fromarray(colours).resize((width, height), BICUBIC)


def read(folder: Path, config: object) -> Preprocessor:
    (folder / "preprocessor_config.json").write_text(json.dumps(config))
    return read_preprocessor(folder / "preprocessor_config.json")


@pytest.mark.parametrize(
    ("config", "lengths"),
    [
        ({"size": {"height": 64, "width": 64}}, (64, False, 64)),
        ({"size": {"height": 64, "width": 64, "shortest_edge": None}}, (64, False, 64)),
        ({"size": 64, "feature_extractor_type": "ViTFeatureExtractor"}, (64, False, 64)),
        ({"size": 64, "image_processor_type": "SiglipImageProcessorFast"}, (64, False, 64)),
        (
            {"size": 72, "crop_size": 64, "image_processor_type": "DeiTImageProcessor"},
            (72, False, 64),
        ),
        (
            {"size": 64, "crop_size": 64, "feature_extractor_type": "CLIPFeatureExtractor"},
            (64, True, 64),
        ),
        (
            {"size": {"shortest_edge": 72}, "crop_size": {"height": 64, "width": 64}},
            (72, True, 64),
        ),
        (
            {
                "size": {"height": 64, "width": 64},
                "crop_size": {"height": 48, "width": 48},
                "do_center_crop": False,
            },
            (64, False, 64),
        ),
        (
            {
                "size": {"shortest_edge": 224},
                "crop_pct": 0.875,
                "image_processor_type": "ConvNextImageProcessor",
            },
            (256, True, 224),
        ),
        (
            {"size": {"shortest_edge": 384}, "image_processor_type": "ConvNextImageProcessor"},
            (384, False, 384),
        ),
    ],
)
def test_the_sizes_mean_what_they_mean_for_the_processor(
    tmp_path: Path, config: dict[str, Any], lengths: tuple[int, bool, int]
) -> None:
    found = read(tmp_path, PLAIN | config)
    assert (found.resized, found.keeps_ratio, found.side) == lengths


@pytest.mark.parametrize(
    ("size", "resized", "box"),
    [
        ((300, 200), (60, 40), (14, 4, 46, 36)),
        ((200, 301), (40, 60), (4, 14, 36, 46)),
        ((40, 40), (40, 40), (4, 4, 36, 36)),
        ((9, 8), (45, 40), (6, 4, 38, 36)),
    ],
)
def test_the_shorter_side_is_resized_and_the_centre_cropped(
    tmp_path: Path, size: tuple[int, int], resized: tuple[int, int], box: tuple[int, ...]
) -> None:
    image = photo(*size)
    found = read(tmp_path, CLIP).square(image)
    assert found.dtype == np.uint8
    assert (found.shape, found.flags.c_contiguous) == ((32, 32, 3), True)
    np.testing.assert_array_equal(found, np.asarray(image.resize(resized, BICUBIC).crop(box)))  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [(20_000, 3), (1, 9_000), (1, 1)])
def test_a_photo_of_any_shape_takes_little_memory(tmp_path: Path, size: tuple[int, int]) -> None:
    found = read(tmp_path, CLIP).square(Image.new("RGB", size, "teal"))
    np.testing.assert_array_equal(found, np.full((32, 32, 3), (0, 128, 128), np.uint8))


def test_the_ends_of_a_long_photo_do_not_matter(tmp_path: Path) -> None:
    image, preprocessor = photo(900, 100), read(tmp_path, CLIP)
    centre = (164, 4, 196, 36)
    expected = np.asarray(image.resize((360, 40), BICUBIC).crop(centre)).astype(int)
    assert np.abs(preprocessor.square(image).astype(int) - expected).max() <= 2


def test_both_sides_are_resized_alike_if_the_size_says_so(tmp_path: Path) -> None:
    image = photo(90, 50)
    found = read(tmp_path, PLAIN | {"size": {"height": 48, "width": 48}}).square(image)
    expected = image.resize((48, 48), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(found, np.asarray(expected))


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ({}, [(1 - 0.5) / 0.2, (0.2 - 0.4) / 0.25, -0.3 / 0.5]),
        ({"do_rescale": False}, [(255 - 0.5) / 0.2, (51 - 0.4) / 0.25, -0.3 / 0.5]),
        ({"rescale_factor": 1 / 51}, [(5 - 0.5) / 0.2, (1 - 0.4) / 0.25, -0.3 / 0.5]),
        ({"do_normalize": False}, [1, 0.2, 0]),
        ({"do_normalize": False, "do_rescale": False}, [255, 51, 0]),
    ],
)
def test_values_are_rescaled_and_normalised_by_channel(
    tmp_path: Path, steps: dict[str, Any], expected: list[float]
) -> None:
    found = read(tmp_path, PLAIN | {"size": {"height": 32, "width": 32}} | steps)
    values = found.values(np.array([255, 51, 0], np.float32))
    np.testing.assert_allclose(values, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ([], "must be an object"),
        ({}, "size: missing"),
        ({"size": 32}, "size 32 is ambiguous; write shortest_edge"),
        ({"size": {"height": 32, "width": 48}}, "does not give a square"),
        ({"size": {"shortest_edge": 32, "longest_edge": 64}}, "does not give a square"),
        ({"size": {"shortest_edge": 32}}, "without do_center_crop"),
        ({"size": {"height": 32, "width": 32}, "crop_size": 64}, "crops 64 of 32 pixels"),
        ({"size": {"height": 3200, "width": 3200}}, "crops 3200 of 3200 pixels; allowed"),
        ({"size": {"height": 0, "width": 0}}, "crops 0 of 0"),
        ({"size": {"height": "32", "width": "x"}}, "size.*must be an integer"),
        ({"resample": 9}, "resample: received 9; must be at most 5"),
        ({"do_resize": False}, "do_resize is false"),
        ({"do_flip_channel_order": True}, "the step do_flip_channel_order is not supported"),
        ({"image_processor_type": "LevitImageProcessor"}, "LevitImageProcessor is not supported"),
        ({"image_mean": None}, "image_mean or image_std is missing"),
        ({"image_std": [1, 1, 0]}, "image_mean or image_std is missing, or has a 0"),
        ({"image_std": [1, 1]}, "image_std"),
        ({"rescale_factor": float("nan")}, "rescale_factor.*finite|NaN"),
    ],
)
def test_what_is_not_supported_is_refused_in_words(
    tmp_path: Path, config: Any, message: str
) -> None:
    whole = {"size": {"height": 32, "width": 32}}
    if not config or (isinstance(config, dict) and "size" in config):
        whole = {}
    written = config if isinstance(config, list) else PLAIN | whole | config
    with pytest.raises(ModelError, match=rf"preprocessor_config\.json.*({message})"):
        read(tmp_path, written)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff"])
def test_what_is_no_json_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "preprocessor_config.json").write_bytes(content)
    with pytest.raises(ModelError, match=r"preprocessor_config\.json: "):
        read_preprocessor(tmp_path / "preprocessor_config.json")

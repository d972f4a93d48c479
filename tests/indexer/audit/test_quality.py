"""Photos that are blank, small or blurred, and hashes of copies."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from indexer.audit.copies import MAX_BITS
from indexer.audit.quality import MAX_BLUR, MIN_CONTRAST, MIN_SIDE, Look, look
from indexer.images import ImageLimits


def looks(image: Image.Image, quality: int = 95) -> Look:
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "JPEG", quality=quality)
    return look(buffer.getvalue(), ImageLimits())


def drawn(size: tuple[int, int] = (800, 600)) -> Image.Image:
    """A striped product on a plain background."""
    image = Image.new("RGB", (800, 600), "white")
    draw = ImageDraw.Draw(image)
    draw.ellipse((250, 150, 550, 450), fill="firebrick")
    for x in range(300, 500, 40):
        draw.line((x, 200, x + 10, 400), fill="navy", width=8)
    return image.resize(size, Image.Resampling.LANCZOS)


def test_a_sharp_photo_on_a_plain_background_has_no_fault() -> None:
    seen = looks(drawn())
    assert seen.blur < MAX_BLUR
    assert seen.contrast > MIN_CONTRAST
    assert seen.side > MIN_SIDE


def test_stripes_in_one_direction_are_not_blurred() -> None:
    image = Image.new("RGB", (800, 600), "white")
    draw = ImageDraw.Draw(image)
    for y in range(150, 450, 30):
        draw.rectangle((250, y, 550, y + 15), fill="navy")
    assert looks(image).blur < MAX_BLUR


@pytest.mark.parametrize("radius", [8, 16])
def test_a_blurred_photo_is_found_at_any_size(radius: int) -> None:
    blurred = drawn().filter(ImageFilter.GaussianBlur(radius))
    assert looks(blurred).blur > MAX_BLUR
    assert looks(blurred.resize((2400, 1800))).blur > MAX_BLUR


def test_a_photo_shaken_in_one_direction_is_found() -> None:
    pixels = np.asarray(drawn((400, 300)), np.float32)
    shaken = np.mean([np.roll(pixels, shift, axis=1) for shift in range(24)], axis=0)
    assert looks(Image.fromarray(shaken.astype(np.uint8))).blur > MAX_BLUR


def test_a_small_photo_that_was_enlarged_is_blurred() -> None:
    assert looks(drawn((64, 48)).resize((800, 600), Image.Resampling.BICUBIC)).blur > MAX_BLUR


@pytest.mark.parametrize("noise", [0, 2, 8])
@pytest.mark.parametrize("colour", ["white", "black", "teal"])
def test_a_plain_picture_is_blank_with_the_noise_of_a_camera_too(colour: str, noise: int) -> None:
    plain = np.asarray(Image.new("RGB", (400, 300), colour), np.float64)
    noisy = plain + np.random.RandomState(0).normal(0, noise, plain.shape)
    seen = looks(Image.fromarray(noisy.clip(0, 255).astype(np.uint8)))
    assert seen.contrast < MIN_CONTRAST


def test_a_product_on_two_percent_of_the_picture_is_not_blank() -> None:
    image = Image.new("RGB", (500, 500), "white")
    image.paste((150, 150, 150), (200, 200, 270, 270))
    assert looks(image).contrast > MIN_CONTRAST


@pytest.mark.parametrize("side", [40, 99, 100, 255])
def test_the_shorter_side_is_that_of_the_file(side: int) -> None:
    assert looks(drawn((300, side))).side == side
    assert looks(drawn((side, 300))).side == side


def test_copies_have_close_hashes_and_others_have_not() -> None:
    original = looks(drawn()).hash
    copies = [
        looks(drawn(), quality=40),
        looks(drawn((400, 300))),
        looks(drawn().crop((8, 6, 792, 594))),
    ]
    assert all((original ^ copy.hash).bit_count() <= MAX_BITS for copy in copies)
    assert (original ^ looks(drawn().rotate(90)).hash).bit_count() > MAX_BITS


def test_real_photos_are_sharp_and_their_blurred_copies_are_not(test_data: Path) -> None:
    photos = sorted((test_data / "clothing" / "images").iterdir())[::60]
    photos += sorted((test_data / "footwear" / "images").iterdir())[::15]
    sharp, blurred = [], []
    for path in photos:
        image = Image.open(path).convert("RGB")
        radius = max(image.size) * 0.01
        sharp.append(look(path.read_bytes(), ImageLimits()))
        blurred.append(looks(image.filter(ImageFilter.GaussianBlur(radius))))
    assert np.mean([seen.blur > MAX_BLUR for seen in sharp]) < 0.02
    assert np.mean([seen.blur > MAX_BLUR for seen in blurred]) > 0.98
    assert not [seen for seen in sharp if seen.contrast < MIN_CONTRAST or seen.side < MIN_SIDE]

"""Fabrics: one function per pattern, listed in `PATTERNS`."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from examples.sample_store.palette import RGB, mix

UNIT = 8  # pixels per unit of a drawing: twice the final size, for smooth edges
SIDE = 100 * UNIT
_GRAIN = (128 - 14, 128 + 14)


@dataclass(frozen=True)
class Cloth:
    """The fabric of a product. `image` is opaque RGBA, SIDE x SIDE."""

    main: RGB
    accent: RGB
    patterned: bool
    image: Image.Image


def weave(pattern: str, main: RGB, accent: RGB, rng: Random) -> Cloth:
    """Creates cloth with a pattern of `PATTERNS`; `rng` determines scale and grain."""
    image = Image.new("RGB", (SIDE, SIDE), main)
    PATTERNS[pattern](ImageDraw.Draw(image), main, accent, rng)
    image = ImageChops.soft_light(image, _grain(rng)).convert("RGBA")
    return Cloth(main, accent, pattern != "Plain", image)


def _grain(rng: Random) -> Image.Image:
    side = SIDE // 2
    noise = Image.frombytes("L", (side, side), rng.randbytes(side * side))
    low, high = _GRAIN
    noise = noise.point([low + value * (high - low) // 255 for value in range(256)])
    noise = noise.filter(ImageFilter.BoxBlur(0.6)).resize((SIDE, SIDE), Image.Resampling.NEAREST)
    return Image.merge("RGB", (noise, noise, noise))


Draw = ImageDraw.ImageDraw


def _plain(_draw: Draw, _main: RGB, _accent: RGB, _rng: Random) -> None:
    """Draws nothing: the cloth already has its main colour."""


def _stripes(draw: Draw, _main: RGB, accent: RGB, rng: Random) -> None:
    width = rng.choice([2, 3, 4.5]) * UNIT
    for y in range(0, SIDE, round(width * rng.choice([2, 2.6]))):
        draw.rectangle((0, y, SIDE, y + width), accent)


def _dots(draw: Draw, _main: RGB, accent: RGB, rng: Random) -> None:
    gap = rng.choice([5, 7, 9]) * UNIT
    radius = gap * rng.choice([0.2, 0.26])
    for row, y in enumerate(range(0, SIDE, gap * 3 // 4)):
        for x in range(-gap * (row % 2) // 2, SIDE + gap, gap):
            draw.circle((x, y), radius, accent)


def _checks(draw: Draw, main: RGB, accent: RGB, rng: Random) -> None:
    cell = rng.choice([3, 4, 6]) * UNIT
    crossing = mix(main, accent, 0.5)
    for band in range(0, SIDE, cell * 2):
        draw.rectangle((0, band, SIDE, band + cell - 1), crossing)
        draw.rectangle((band, 0, band + cell - 1, SIDE), crossing)
    for x in range(0, SIDE, cell * 2):
        for y in range(0, SIDE, cell * 2):
            draw.rectangle((x, y, x + cell - 1, y + cell - 1), accent)


def _block(draw: Draw, _main: RGB, accent: RGB, rng: Random) -> None:
    draw.rectangle((0, rng.randint(46, 56) * UNIT, SIDE, SIDE), accent)


def _floral(draw: Draw, main: RGB, accent: RGB, rng: Random) -> None:
    gap = rng.choice([9, 11]) * UNIT
    leaf, heart = mix(main, (70, 130, 80), 0.55), mix(accent, (240, 190, 60), 0.75)
    for row, y in enumerate(range(0, SIDE + gap, gap)):
        for column in range(-gap * (row % 2) // 2, SIDE + gap, gap):
            x, middle = column + rng.randint(-UNIT, UNIT), y + rng.randint(-UNIT, UNIT)
            size, turn = gap * rng.uniform(0.13, 0.2), rng.random() * math.tau
            for angle in (turn, turn + 2.2):
                at = x + 2.1 * size * math.cos(angle), middle + 2.1 * size * math.sin(angle)
                draw.circle(at, size * 0.6, leaf)
            for petal in range(5):
                angle = turn + petal * math.tau / 5
                at = x + size * math.cos(angle), middle + size * math.sin(angle)
                draw.circle(at, size * 0.75, accent)
            draw.circle((x, middle), size * 0.55, heart)


PATTERNS: dict[str, Callable[[Draw, RGB, RGB, Random], None]] = {
    "Plain": _plain,
    "Striped": _stripes,
    "Dotted": _dots,
    "Gingham": _checks,
    "Colour-block": _block,
    "Floral": _floral,
}

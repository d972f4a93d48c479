"""Renders photos of a drawing: on studio white, and as taken by a shopper."""

import math
from collections.abc import Callable
from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageStat

from examples.sample_store.palette import BLACK, RGB, mix


def catalog_photo(art: Image.Image, rng: Random, *, zoom: float = 1) -> Image.Image:
    """Renders the product on off-white with a soft shadow: RGB, 400 x 400."""
    size = (400, 400)
    white = rng.randint(244, 253)
    scene = _gradient(size, (white, white, white - rng.randint(0, 4)), 0.025)
    shift = rng.uniform(-8, 8), rng.uniform(-8, 8)
    placed = _place(art, size, rng.uniform(0.78, 0.87) * zoom, rng.uniform(-4, 4), shift)
    return _compose(scene, placed, drop=(3, 7), darkness=0.42)


def casual_photo(art: Image.Image, rng: Random) -> Image.Image:
    """Renders the product on wood or on a bed, tilted, badly lit and noisy: RGB, 480 x 480."""
    size = (480, 480)
    average = ImageStat.Stat(art.convert("RGB"), art.getchannel("A")).mean
    contrasting = sorted(_FLOORS, key=lambda floor: math.dist(floor[1], average))[3:]
    draw, color = rng.choice(contrasting)
    scene = draw(size, color, rng)
    angle = rng.choice([-1, 1]) * rng.uniform(6, 13)
    shift = rng.uniform(-25, 25), rng.uniform(-25, 25)
    placed = _place(art, size, rng.uniform(0.92, 1.02), angle, shift)
    photo = _compose(scene, placed, drop=(9, 12), darkness=0.6)
    lamp = _gradient(size, mix((255, 244, 226), BLACK, rng.uniform(0.02, 0.1)), 0.22)
    lamp = lamp.rotate(rng.choice([0, 180]))
    photo = ImageChops.multiply(photo, lamp).filter(ImageFilter.GaussianBlur(0.7))
    noise = Image.frombytes("RGB", size, rng.randbytes(size[0] * size[1] * 3))
    return Image.blend(photo, ImageChops.soft_light(photo, noise), 0.22)


def _place(
    art: Image.Image,
    size: tuple[int, int],
    fill: float,
    angle: float,
    shift: tuple[float, float],
) -> Image.Image:
    """Places the drawing in a picture.

    Args:
        art: the drawing.
        size: of the picture.
        fill: longer side of the drawing as a fraction of the picture's width.
        angle: rotation in degrees.
        shift: offset from the middle in pixels.
    """
    left, top, right, bottom = art.getbbox() or (0, 0, 1, 1)
    scale = fill * size[0] / max(right - left, bottom - top)
    # The transform samples single pixels, so a large drawing is averaged first.
    step = max(1, int(1 / scale))
    turn, back = math.radians(angle), 1 / (scale * step)
    cos, sin = math.cos(turn) * back, math.sin(turn) * back
    x, y = size[0] / 2 + shift[0], size[1] / 2 + shift[1]
    across, down = (left + right) / 2 / step, (top + bottom) / 2 / step
    matrix = (cos, sin, across - cos * x - sin * y, -sin, cos, down + sin * x - cos * y)
    # Premultiplied alpha, so that transparent pixels do not bleed in at the edges.
    coarse = art.convert("RGBa").reduce(step)
    placed = coarse.transform(size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
    return placed.convert("RGBA")


def _compose(
    scene: Image.Image, placed: Image.Image, *, drop: tuple[int, int], darkness: float
) -> Image.Image:
    """Draws the placed drawing on the scene, with a shadow offset by `drop` pixels."""
    alpha = placed.getchannel("A")
    width, height = alpha.size
    moved = alpha.crop((-drop[0], -drop[1], width - drop[0], height - drop[1]))
    soft = moved.reduce(4).filter(ImageFilter.GaussianBlur(2.2)).resize(alpha.size)
    shadow = soft.point([round(value * darkness) for value in range(256)])
    scene.paste(mix(BLACK, (90, 88, 92), 0.5), mask=shadow)
    scene.paste(placed, mask=alpha)
    return scene


def _gradient(size: tuple[int, int], color: RGB, fall: float) -> Image.Image:
    """Returns a vertical gradient from `color` to a color darker by the share `fall`."""
    strip = Image.new("RGB", (1, 2), color)
    strip.putpixel((0, 1), mix(color, (0, 0, 0), fall))
    return strip.resize(size, Image.Resampling.BICUBIC)


def _planks(size: tuple[int, int], wood: RGB, rng: Random) -> Image.Image:
    width, height = size
    scene = Image.new("RGB", size, wood)
    draw, plank = ImageDraw.Draw(scene), rng.randint(90, 130)
    for left in range(-rng.randrange(plank), width, plank):
        draw.rectangle((left, 0, left + plank, height), mix(wood, BLACK, rng.uniform(0, 0.16)))
        for _ in range(26):
            x, bow = left + rng.randrange(plank), rng.uniform(-5, 5)
            grain = [(x + bow * math.sin(y / 90 + x), y) for y in range(0, height + 20, 20)]
            draw.line(grain, mix(wood, BLACK, rng.uniform(0.05, 0.3)), rng.choice([1, 1, 2]))
        draw.line((left, 0, left, height), mix(wood, BLACK, 0.65), 3)
    return scene


def _blanket(size: tuple[int, int], cloth: RGB, rng: Random) -> Image.Image:
    scene = Image.new("RGB", size, cloth)
    folds = Image.new("L", size)
    draw = ImageDraw.Draw(folds)
    for _ in range(12):
        ends = [(rng.uniform(-0.2, 1.2) * size[0], rng.uniform(-0.2, 1.2) * size[1]) for _ in "ab"]
        draw.line(ends, 150, rng.randint(8, 26))
    folds = folds.filter(ImageFilter.GaussianBlur(12))
    scene.paste(mix(cloth, BLACK, 0.55), mask=folds)
    return scene


_FLOORS: list[tuple[Callable[[tuple[int, int], RGB, Random], Image.Image], RGB]] = [
    (_planks, (164, 116, 76)),
    (_planks, (122, 86, 60)),
    (_planks, (196, 164, 124)),
    (_blanket, (72, 128, 128)),
    (_blanket, (182, 168, 146)),
    (_blanket, (142, 142, 144)),
    (_blanket, (196, 150, 158)),
]

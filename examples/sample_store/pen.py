"""Draws pieces of cloth with shading, seams and folds."""

from random import Random
from typing import TypeVar

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from examples.sample_store.fabrics import SIDE, UNIT, Cloth
from examples.sample_store.palette import BLACK, RGB, WHITE, ink, mix
from examples.sample_store.paths import Points, dashes, mirror, trace

Path = str | Points
Option = TypeVar("Option")

_COARSE = 4  # shading is soft, so it is computed at a quarter of the resolution
_MARGIN = 12  # coarse pixels around a piece, into which its edge is blurred


class Pen:
    """Draws one product. Coordinates are in the 100 x 100 units of `paths`.

    Shapes make their random choices with `pick` and `between`, so that a design keeps its cut in
    another cloth.
    """

    def __init__(self, cloth: Cloth, rng: Random) -> None:
        self.cloth = cloth
        self.main, self.accent = cloth.main, cloth.accent
        self._rng = rng
        self._art = Image.new("RGBA", (SIDE, SIDE))
        self._folds = Image.new("L", (SIDE // _COARSE, SIDE // _COARSE))

    def pick(self, *options: Option) -> Option:
        """Returns one of the options at random."""
        return self._rng.choice(options)

    def between(self, low: float, high: float) -> float:
        """Returns a random number between `low` and `high`."""
        return self._rng.uniform(low, high)

    def fill(
        self, path: Path, paint: RGB | None = None, *, turn: float = 0, depth: float = 1
    ) -> None:
        """Draws a closed piece.

        Args:
            path: its outline.
            paint: its colour; None for cloth.
            turn: rotation of the cloth in degrees.
            depth: strength of the shading; 0 is flat.
        """
        mask = Image.new("L", (SIDE, SIDE))
        ImageDraw.Draw(mask).polygon(_pixels(path), 255)
        self._lay(mask, paint, turn, depth)
        self.line([*_points(path), _points(path)[0]], 0.35, mix(paint or self.main, BLACK, 0.35))

    def fill_both(
        self, path: Path, paint: RGB | None = None, *, turn: float = 0, depth: float = 1
    ) -> None:
        """Draws a piece and its mirror image."""
        self.fill(path, paint, turn=turn, depth=depth)
        self.fill(mirror(_points(path)), paint, turn=-turn, depth=depth)

    def band(self, path: Path, width: float, paint: RGB | None = None, *, depth: float = 1) -> None:
        """Draws a strap with round ends along an open path."""
        mask = Image.new("L", (SIDE, SIDE))
        draw, points = ImageDraw.Draw(mask), _pixels(path)
        draw.line(points, 255, round(width * UNIT), joint="curve")
        for end in (points[0], points[-1]):
            draw.circle(end, width * UNIT / 2 - 1, 255)
        self._lay(mask, paint, 0, depth)

    def line(self, path: Path, width: float = 0.45, paint: RGB | None = None) -> None:
        """Draws a seam along an open path."""
        color = paint or ink(self.main)
        ImageDraw.Draw(self._art).line(_pixels(path), color, round(width * UNIT), joint="curve")

    def line_both(self, path: Path, width: float = 0.45, paint: RGB | None = None) -> None:
        """Draws a seam and its mirror image."""
        self.line(path, width, paint)
        self.line(mirror(_points(path)), width, paint)

    def stitch(self, path: Path, paint: RGB | None = None) -> None:
        """Draws a dashed seam along an open path."""
        draw, color = ImageDraw.Draw(self._art), paint or ink(self.main)
        for start, end in dashes(_points(path), 1.1, 0.8):
            draw.line(_pixels([start, end]), color, 3)

    def dot(self, x: float, y: float, radius: float, paint: RGB) -> None:
        """Draws a button, eyelet or stud."""
        draw = ImageDraw.Draw(self._art)
        draw.circle((x * UNIT, y * UNIT), radius * UNIT, paint, mix(paint, BLACK, 0.45), 2)

    def fold(self, path: Path, width: float = 1.6) -> None:
        """Adds a soft crease, which `finish` draws on top of everything."""
        points = [(x / _COARSE, y / _COARSE) for x, y in _pixels(path)]
        ImageDraw.Draw(self._folds).line(points, 85, round(width * UNIT / _COARSE), joint="curve")

    def finish(self) -> Image.Image:
        """Returns the drawing: RGBA, SIDE x SIDE."""
        soft = self._folds.filter(ImageFilter.GaussianBlur(3)).resize((SIDE, SIDE))
        self._paste(BLACK, (0, 0, SIDE, SIDE), ImageChops.multiply(soft, self._art.getchannel("A")))
        return self._art

    def _lay(self, mask: Image.Image, paint: RGB | None, turn: float, depth: float) -> None:
        box = mask.getbbox()
        if box is None:
            return
        mask = mask.crop(box)
        self._paste(paint or self._cut(box, turn), box, mask)
        if depth:
            shadow, light = _relief(mask, depth)
            self._paste(BLACK, box, shadow)
            self._paste(WHITE, box, light)

    def _cut(self, box: tuple[int, int, int, int], turn: float) -> Image.Image:
        cloth = self.cloth.image
        if not (turn and self.cloth.patterned):
            return cloth.crop(box)
        # Rotated pieces are cut from the middle: rotation moves the corners out of the cloth.
        width, height = box[2] - box[0], box[3] - box[1]
        left, top = (SIDE - width) // 2, (SIDE - height) // 2
        turned = cloth.rotate(turn, Image.Resampling.BILINEAR)
        return turned.crop((left, top, left + width, top + height))

    def _paste(
        self, paint: RGB | Image.Image, box: tuple[int, int, int, int], mask: Image.Image
    ) -> None:
        source = paint if isinstance(paint, Image.Image) else (*paint, 255)
        self._art.paste(source, box, mask)


def _relief(mask: Image.Image, depth: float) -> tuple[Image.Image, Image.Image]:
    """Returns the masks of shadow and light for a piece lit from the upper left."""
    coarse = mask.reduce(_COARSE)
    width, height = coarse.size
    roomy = coarse.crop((-_MARGIN, -_MARGIN, width + _MARGIN, height + _MARGIN))
    soft = roomy.filter(ImageFilter.GaussianBlur(6))
    return _rim(mask, soft, -4, 0.50 * depth), _rim(mask, soft, 4, 0.22 * depth)


def _rim(mask: Image.Image, soft: Image.Image, shift: int, strength: float) -> Image.Image:
    """Returns the part of `mask` not covered by `soft` shifted by `shift` coarse pixels."""
    low = _MARGIN - shift
    moved = soft.crop((low, low, soft.width - 2 * _MARGIN + low, soft.height - 2 * _MARGIN + low))
    rim = moved.point([round((255 - value) * strength) for value in range(256)])
    return ImageChops.multiply(rim.resize(mask.size, Image.Resampling.BILINEAR), mask)


def _points(path: Path) -> Points:
    return trace(path) if isinstance(path, str) else path


def _pixels(path: Path) -> Points:
    return [(x * UNIT, y * UNIT) for x, y in _points(path)]

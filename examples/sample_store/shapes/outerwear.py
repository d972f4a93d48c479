"""Jackets."""

from examples.sample_store.palette import BLACK, METAL, mix
from examples.sample_store.paths import symmetric
from examples.sample_store.pen import Pen
from examples.sample_store.shapes.tops import Torso, collar, hem_rib, sleeves, torso


def _lapels(pen: Pen, low: float) -> None:
    """Draws two wide lapels that meet at height `low`."""
    pen.fill(symmetric(f"M 50 12 L 41 12 L 40 16 L 50 {low}"), mix(pen.main, BLACK, 0.6), depth=0.3)
    pen.fill_both(
        f"M 42 9 L 38 14 L 35 26 L 39.5 27 L 38.5 31 L 50 {low + 1} Q 42 22 42 9", depth=0.9
    )
    pen.fill_both("M 42 8 Q 39 12 37.5 19 L 35 26 L 40 27 L 43 17", mix(pen.main, BLACK, 0.08))


def jacket(pen: Pen) -> str:
    """Draws a jacket; returns a description."""
    style = pen.pick("Puffer", "Bomber", "Denim-style", "Biker")
    cut = Torso(shoulder=26, chest=24, hem=23, bottom=74, neck="V-neck")
    sleeves(pen, "long", cut, cuff=style in ("Bomber", "Puffer"))
    torso(pen, cut)
    if style == "Puffer":
        _quilting(pen)
    elif style == "Biker":
        _lapels(pen, 40)
        pen.line("M 50 40 Q 58 58 58 75", 1, METAL)
        pen.line("M 32 58 L 40 55", 0.9, METAL)
        pen.line("M 64 56 L 71 59", 0.9, METAL)
        return "Biker jacket"
    elif style == "Denim-style":
        _seams(pen)
    pen.fill(symmetric("M 50 32 L 41 14 L 50 13"), mix(pen.main, BLACK, 0.2), depth=0.3)
    if style in ("Bomber", "Puffer"):
        pen.line("M 50 20 L 50 80", 1.1, METAL)
        hem_rib(pen, cut)
        pen.fill(symmetric("M 50 9 Q 42 8 40 11 L 40 19 Q 45 21 50 21"), mix(pen.main, BLACK, 0.2))
        pen.line_both("M 33 58 L 38 66", 0.8)
    else:
        collar(pen, contrast=pen.pick(True, False), spread=2)
    return f"{style} jacket"


def _quilting(pen: Pen) -> None:
    for y in range(26, 74, 8):
        pen.line(f"M 27 {y} Q 38 {y + 2.5} 50 {y + 1} Q 62 {y + 2.5} 73 {y}", 0.6)
        pen.fold(f"M 28 {y + 2} Q 50 {y + 4} 72 {y + 2}")
    for y in range(30, 74, 8):
        pen.line_both(f"M {20 - y / 8} {y} L {28 - y / 8} {y + 3}", 0.6)


def _seams(pen: Pen) -> None:
    pen.line("M 26 33 L 74 33")
    pen.stitch("M 26 34.2 L 74 34.2", METAL)
    pen.line_both("M 40 34 L 43 74")
    pen.fill_both("M 33 36 L 42 36 L 42 43 L 37.5 46 L 33 43", depth=0.4)
    pen.line("M 50 30 L 50 75")
    for y in (40, 48, 56, 64, 72):
        pen.dot(51.5, y, 1, METAL)
    pen.band("M 28 74 Q 50 77 72 74", 3.4, mix(pen.main, BLACK, 0.1), depth=0.5)

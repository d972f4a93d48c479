"""Trousers and skirts."""

from examples.sample_store.palette import BLACK, METAL, mix
from examples.sample_store.paths import symmetric
from examples.sample_store.pen import Pen


def _waistband(pen: Pen, half: float, y: float) -> None:
    pen.band(f"M {51 - half} {y} Q 50 {y + 2} {49 + half} {y}", 4.4, mix(pen.main, BLACK, 0.1))
    for x in (50 - half * 0.6, 50 + half * 0.6):
        pen.line(f"M {x} {y - 2} L {x} {y + 4}", 1.1)


def _fly(pen: Pen, y: float) -> None:
    pen.line(f"M 50 {y} L 50 {y + 18}", 0.5)
    pen.stitch(f"M 53 {y + 2} L 53 {y + 11} Q 53 {y + 15} 50 {y + 16}")
    pen.dot(50, y - 1, 1.1, METAL)
    pen.line_both(f"M 33 {y + 4} Q 38 {y + 11} 43 {y + 3}", 0.5)
    pen.fold(f"M 49 {y + 18} Q 44 {y + 20} 40 {y + 19}")
    pen.fold(f"M 51 {y + 18} Q 56 {y + 20} 60 {y + 19}")


def trousers(pen: Pen) -> str:
    """Draws trousers; returns a description."""
    style, knee, hem = pen.pick(
        ("Skinny", 9, 6.5), ("Straight-leg", 11.5, 11), ("Wide-leg", 15, 19), ("Flared", 10, 17)
    )
    outer, inner = 37 - hem / 2, 37 + hem / 2
    pen.fill_both(
        f"M 51 9 L 33 8 Q 27 24 {36 - knee / 2 - 3} 54 L {outer} 95 L {inner} 96 "
        f"L {38 + knee / 2} 56 L 50 31 L 51 28"
    )
    _waistband(pen, 17.5, 8)
    _fly(pen, 11)
    if pen.pick(True, False):
        pen.stitch(f"M {outer + 0.8} 92 L {inner - 0.6} 93")
        pen.stitch(f"M {100 - outer - 0.8} 92 L {100 - inner + 0.6} 93")
    else:
        pen.line_both(f"M 39 22 Q {37} 50 37 94", 0.4)
    pen.fold(f"M {35 - knee / 2} 54 Q 37 57 40 56")
    pen.fold(f"M {65 + knee / 2} 55 Q 63 58 60 57")
    return f"{style} trousers"


def skirt(pen: Pen) -> str:
    """Draws a skirt; returns a description."""
    style = pen.pick("Pencil", "A-line", "Pleated", "Tiered")
    name, bottom = pen.pick(("mini skirt", 66), ("midi skirt", 86))
    hem = {"Pencil": 17.0, "A-line": 29.0, "Pleated": 33.0, "Tiered": 34.0}[style]
    hip = 19 if style == "Pencil" else 20
    pen.fill(
        symmetric(
            f"M 50 17 L 36 16 Q {49 - hip} 32 {50 - hem} {bottom} Q 40 {bottom + 3} 50 {bottom + 3}"
        )
    )
    if style == "Pleated":
        for share in (-0.85, -0.6, -0.36, -0.12, 0.12, 0.36, 0.6, 0.85):
            low = bottom + 3 - 3 * share * share
            pen.line(f"M {50 + 13 * share} 18 Q {50 + 19 * share} 34 {50 + hem * share} {low}", 0.5)
            pen.fold(f"M {51 + 13 * share} 20 Q {51 + 19 * share} 34 {51.5 + hem * share} {low}")
    elif style == "Tiered":
        for share in (0.36, 0.68):
            y, half = 16 + (bottom - 16) * share, 15 + (hem - 15) * share
            pen.line(f"M {50 - half} {y} Q 50 {y + 4} {50 + half} {y}", 0.8)
            pen.fold(f"M {50 - half} {y + 2} Q 50 {y + 6} {50 + half} {y + 2}")
    else:
        pen.fold(f"M 43 24 Q 40 44 {50 - hem * 0.5} {bottom}")
        pen.fold(f"M 58 24 Q 61 44 {50 + hem * 0.55} {bottom}")
        if pen.pick(True, False):
            pen.line(f"M 58 20 L {50 + hem * 0.6} {bottom + 1}", 0.6)
            for y in range(24, bottom, 9):
                pen.dot(56.5 + (hem * 0.6 - 8) * (y - 20) / (bottom - 20), y, 1, METAL)
    _waistband(pen, 15, 16)
    return f"{style} {name}"

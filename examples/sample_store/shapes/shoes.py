"""Footwear in side view, with the toe to the right."""

from examples.sample_store.palette import BLACK, CREAM, RUBBER, WHITE, mix
from examples.sample_store.pen import Pen


def sneaker(pen: Pen) -> str:
    """Draws a sneaker; returns a description."""
    style = pen.pick("Running shoe", "Low-top sneaker", "High-top sneaker", "Slip-on sneaker")
    sole = pen.pick(WHITE, WHITE, CREAM, RUBBER)
    top = 26 if style == "High-top sneaker" else 43
    pen.fill(
        f"M 20 {top + 3} L 42 {top - 3} L 45 {top + 4} L 30 56 L 18 54", mix(pen.main, BLACK, 0.55)
    )
    pen.fill(
        f"M 9 74 Q 8 62 12 54 Q 14 48 13 {top + 3} Q 15 {top} 19 {top + 2} "
        f"Q 28 {top + 11} 38 {top + 3} L 43 {top - 3} Q 48 {top - 4} 50 {top + 1} "
        "Q 56 54 70 58 Q 90 61 92 74"
    )
    _sneaker_upper(pen, style, top)
    if style == "Running shoe":
        pen.fill("M 6 70 Q 30 75 56 72 Q 80 70 95 70 Q 96 79 86 80 L 18 82 Q 5 82 6 70", sole)
        pen.fill(
            "M 8 79 L 20 82 L 86 80 Q 92 79 94 75 Q 96 83 86 84 L 18 85 Q 9 85 8 79", pen.accent
        )
    else:
        pen.fill("M 8 72 L 93 72 Q 96 82 88 82 L 12 82 Q 6 82 8 72", sole)
        pen.line("M 8.4 75 L 93.6 75", 0.6, pen.accent)
    return style


def _sneaker_upper(pen: Pen, style: str, top: float) -> None:
    if pen.pick(True, False):
        pen.fill("M 72 59 Q 90 61 92 74 L 68 74 Q 68 64 72 59", pen.pick(WHITE, pen.accent))
    pen.fill("M 9.5 74 Q 8 62 12 54 L 21 56 Q 19 66 22 74", pen.accent, depth=0.7)
    if style == "Slip-on sneaker":
        pen.fill("M 38 48 L 46 44 L 52 56 L 44 60", mix(pen.main, BLACK, 0.5), depth=0.3)
        return
    mark = pen.pick("wave", "bars", "none")
    if mark == "wave":
        pen.band("M 23 64 Q 30 56 37 63 Q 44 70 51 63 Q 57 58 64 64", 3.4, pen.accent, depth=0.5)
    elif mark == "bars":
        for foot in (34, 44):
            pen.line(f"M {foot} 72 L {foot + 6} 54", 2.2, pen.accent)
    pen.line(f"M 38 {top + 4} Q 44 58 60 66", 0.7)
    eyelets = 7 if top < 40 else 4
    for eyelet in range(eyelets):
        share = eyelet / (eyelets - 1)
        x, y = 45 + 16 * share, top + 1 + (57 - top) * share
        pen.line(f"M {x - 6 + share * 2} {y + 4} Q {x - 1} {y + 1} {x + 1.5} {y - 1.5}", 1.3, WHITE)


def boot(pen: Pen) -> str:
    """Draws a boot; returns a description."""
    style, top = pen.pick(("Chelsea boot", 30), ("Lace-up boot", 24), ("Knee-high boot", 6))
    heel = pen.pick("flat", "block", "lug") if style != "Lace-up boot" else "lug"
    pen.fill(
        f"M 19 82 Q 17 70 21 58 Q 21 40 19 {top + 1} Q 34 {top - 2} 48 {top} Q 48 40 51 52 "
        "Q 58 60 74 63 Q 88 66 90 82"
    )
    if style == "Chelsea boot":
        pen.fill(f"M 30 {top + 2} L 41 {top + 1} Q 42 48 38 58 Q 33 50 30 {top + 2}", RUBBER)
        for rib in (-3, -1, 1, 3):
            pen.line(f"M {36 + rib} {top + 3} L {36 + rib * 0.4} 53", 0.3, mix(RUBBER, BLACK, 0.5))
        pen.band(f"M 20 {top + 2} Q 17 {top - 6} 21 {top - 3}", 1.6)
    elif style == "Lace-up boot":
        pen.line(f"M 41 {top + 1} Q 42 46 46 60 Q 52 66 62 68", 0.7)
        for index in range(7):
            y = top + 4 + index * 5
            x = 46 + max(0, index - 3) * 2.8
            pen.line(f"M {x - 4} {y + 1.5} L {x + 2.5} {y - 0.5}", 1.3, CREAM)
        pen.line("M 70 63 Q 66 72 70 81", 0.6)
        pen.band(
            f"M 19.5 {top + 1.5} Q 34 {top - 1} 47.5 {top + 1}", 3.4, mix(pen.main, BLACK, 0.25)
        )
    else:
        pen.line("M 27 8 Q 30 40 27 58", 0.6)
        pen.fold("M 28 56 Q 36 62 48 54")
        pen.fold("M 24 62 Q 34 67 46 60")
    _boot_sole(pen, heel)
    return f"{style} with block heel" if heel == "block" else style


def _boot_sole(pen: Pen, heel: str) -> None:
    dark = mix(RUBBER, BLACK, 0.4)
    if heel == "block":
        pen.fill("M 18 79 L 38 81 L 36 95 L 21 95", dark)
        pen.fill("M 18 79 L 38 81 Q 52 90 62 91 L 88 91 Q 93 89 91 82 L 62 84 L 38 80", dark)
    elif heel == "lug":
        pen.fill("M 17 79 L 91 79 Q 94 84 91 90 L 44 90 L 42 87 L 38 87 L 38 92 L 18 92", dark)
        pen.stitch("M 18 81 L 91 81", CREAM)
        for x in range(48, 90, 6):
            pen.line(f"M {x} 86 L {x} 91", 1, mix(RUBBER, WHITE, 0.25))
    else:
        pen.fill("M 18 80 L 91 80 Q 93 84 90 86 L 40 86 L 39 89 L 19 89", dark)

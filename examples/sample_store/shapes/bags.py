"""Handbags and backpacks."""

from examples.sample_store.palette import BLACK, METAL, RGB, RUBBER, mix
from examples.sample_store.paths import symmetric
from examples.sample_store.pen import Pen


def handbag(pen: Pen) -> str:
    style, draw = pen.pick(
        ("Tote bag", _tote), ("Flap bag", _flap), ("Bowling bag", _bowling), ("Bucket bag", _bucket)
    )
    draw(pen, pen.pick(mix(pen.main, BLACK, 0.35), RUBBER))
    return style


def _tote(pen: Pen, leather: RGB) -> None:
    pen.band("M 36 44 Q 38 8 50 8 Q 62 8 64 44", 2.4, mix(leather, BLACK, 0.3))
    pen.fill(symmetric("M 50 40 L 18 40 L 23 90 Q 24 92 27 92 L 50 92"))
    pen.band("M 34 56 Q 36 14 50 14 Q 64 14 66 56", 2.8, leather)
    pen.line("M 18.5 44 L 81.5 44")
    for x in (34, 66):
        pen.dot(x, 56, 1.6, METAL)


def _flap(pen: Pen, leather: RGB) -> None:
    pen.band("M 18 52 Q 20 8 50 8 Q 80 8 82 52", 2, leather)
    pen.fill(symmetric("M 50 44 L 18 44 Q 13 64 14 80 Q 14 86 22 86 L 50 86"))
    pen.fill(symmetric("M 50 42 L 18 42 Q 14 44 14 54 Q 16 66 32 68 Q 44 70 50 70"), depth=1.3)
    pen.stitch(symmetric("M 50 68 Q 44 68 32 66 Q 18 64 16.5 54"))
    pen.fill("M 46 65 L 54 65 L 54 73 L 46 73", METAL)
    for x in (18, 82):
        pen.dot(x, 50, 2, METAL)


def _bowling(pen: Pen, leather: RGB) -> None:
    for height, shade in ((18, 0.4), (23, 0.0)):
        pen.band(
            f"M 35 52 Q 34 {height} 50 {height} Q 66 {height} 65 52",
            2.6,
            mix(leather, BLACK, shade),
        )
    pen.fill(symmetric("M 50 40 Q 28 40 18 52 Q 9 66 10 82 Q 10 87 16 87 L 50 87"))
    pen.fill_both("M 18 52 Q 9 66 10 82 Q 10 87 16 87 L 28 87 Q 30 72 18 52", leather)
    pen.line("M 19 50 Q 50 38 81 50", 0.9, METAL)
    for x in (35, 65):
        pen.fill(f"M {x - 2.5} 48 L {x + 2.5} 48 L {x + 2.5} 58 L {x} 60 L {x - 2.5} 58", leather)
        pen.dot(x, 55, 1, METAL)


def _bucket(pen: Pen, leather: RGB) -> None:
    pen.band("M 28 42 Q 30 6 50 6 Q 70 6 72 42", 2.4, leather)
    pen.fill(symmetric("M 50 32 Q 34 32 25 36 L 29 44 L 50 46"), mix(pen.main, BLACK, 0.45))
    pen.fill(symmetric("M 50 40 Q 34 40 25 36 Q 25 64 22 84 Q 24 92 50 93"))
    pen.fill(symmetric("M 50 82 Q 34 82 22.5 78 L 22 86 Q 26 93 50 93"), leather)
    pen.line("M 26 47 Q 50 53 74 47", 1, leather)
    pen.band("M 50 50 Q 46 58 44 66", 1, leather)
    pen.band("M 50 50 Q 54 58 57 64", 1, leather)
    for x in range(30, 72, 8):
        pen.dot(x, 51 - abs(x - 50) * 0.13, 1.2, METAL)
        pen.fold(f"M {x} 54 L {x + (x - 50) * 0.05} 74", 1.2)


def backpack(pen: Pen) -> str:
    trim = pen.pick(mix(pen.main, BLACK, 0.4), RUBBER, pen.accent)
    style = pen.pick("Backpack", "Roll-top backpack", "Flap backpack")
    pen.fill_both("M 26 40 Q 14 52 16 82 L 22 86 L 24 70 Q 22 56 30 48", mix(trim, BLACK, 0.3))
    pen.band("M 42 14 Q 42 4 50 4 Q 58 4 58 14", 2.4, mix(trim, BLACK, 0.2))
    if style == "Roll-top backpack":
        pen.fill(symmetric("M 50 18 L 27 18 Q 23 50 25 88 Q 26 93 32 93 L 50 93"))
        pen.fill(symmetric("M 50 8 L 28 8 Q 24 9 25 15 Q 25 20 29 20 L 50 20"), depth=1.4)
    else:
        pen.fill(symmetric("M 50 9 Q 26 9 24 36 L 23 86 Q 23 93 31 93 L 50 93"))
    if style == "Flap backpack":
        pen.fill(symmetric("M 50 8 Q 25 8 23 34 Q 23 48 32 49 L 50 50"), depth=1.2)
        for x in (38, 62):
            pen.band(f"M {x} 36 L {x} 62", 3, trim, depth=0.5)
            pen.line(
                f"M {x - 2} 56 L {x + 2} 56 L {x + 2} 60 L {x - 2} 60 L {x - 2} 56", 0.7, METAL
            )
    else:
        pen.line("M 28 44 Q 27 20 50 20 Q 73 20 72 44", 0.9, mix(trim, BLACK, 0.2))
        pen.line("M 28 40 L 28 46", 1.5, METAL)
    pen.fill(symmetric("M 50 58 L 32 58 Q 29 58 29 62 L 29 84 Q 29 88 33 88 L 50 88"), trim)
    pen.line("M 31 64 L 69 64", 0.9, METAL)
    pen.line("M 66 64 L 66 69", 1.3, METAL)
    return style

"""What is worn on the head."""

from examples.sample_store.palette import BLACK, WHITE, mix
from examples.sample_store.paths import circle, symmetric
from examples.sample_store.pen import Pen


def cap(pen: Pen) -> str:
    style = pen.pick("Baseball cap", "Trucker cap")
    back = WHITE if style == "Trucker cap" else None
    brim = pen.accent if pen.pick(True, False) else mix(pen.main, BLACK, 0.12)
    pen.fill("M 10 66 Q 8 30 42 26 L 46 66 Q 28 72 10 66", back)
    if back:
        for x in range(14, 44, 3):
            pen.line(f"M {x} {36 + abs(x - 44) * 0.3} L {x} 67", 0.25, mix(WHITE, BLACK, 0.25))
        for y in range(40, 66, 3):
            pen.line(f"M 13 {y} L 38 {y}", 0.25, mix(WHITE, BLACK, 0.25))
    pen.fill("M 34 67 Q 28 36 42 26 Q 68 26 70 62 Q 54 72 34 67", depth=1.2)
    pen.line("M 42 26 Q 58 36 58 66", 0.5)
    pen.line("M 42 26 Q 22 38 22 68", 0.5)
    pen.fill("M 36 68 Q 54 58 71 60 Q 90 64 96 75 Q 96 79 90 77 Q 66 68 42 73 Q 36 72 36 68", brim)
    pen.stitch("M 44 69 Q 68 62 90 74")
    pen.fill(circle(42, 26, 2.4, 0.6), pen.accent, depth=0.5)
    if pen.pick(True, False):
        pen.fill("M 58 42 L 67 44 L 68 54 L 60 54", pen.accent, depth=0.4)
    return style


def hat(pen: Pen) -> str:
    style = pen.pick("Fedora", "Sun hat", "Bucket hat")
    ribbon = pen.accent
    if style == "Bucket hat":
        pen.fill(symmetric("M 50 54 L 27 54 Q 16 68 12 76 Q 28 86 50 86"), depth=1.2)
        pen.fill(symmetric("M 50 22 Q 34 22 31 27 L 26 55 Q 36 60 50 60"))
        for y in (66, 72, 78):
            pen.stitch(symmetric(f"M 50 {y + 3} Q 34 {y + 2} {26 - (y - 60) * 0.55} {y - 5}"))
        return style
    wide = 2 if style == "Sun hat" else 12
    pen.fill(symmetric(f"M 50 60 Q {wide + 8} 58 {wide} 68 Q {wide + 4} 80 50 82"), depth=1.2)
    top = 30 if style == "Sun hat" else 24
    dent = 0 if style == "Sun hat" else 5
    pen.fill(
        symmetric(f"M 50 {top + dent} Q 42 {top - 4} 35 {top} Q 30 {top + 6} 27 66 Q 38 71 50 71")
    )
    pen.fill(symmetric("M 50 63 Q 36 63 28 58 L 27 66 Q 38 71 50 71"), ribbon, depth=0.8)
    if style == "Fedora":
        pen.fold("M 50 30 Q 46 40 47 50")
    return f"{style} with ribbon"


def beanie(pen: Pen) -> str:
    pompom = pen.pick(True, False)
    if pompom:
        pen.fill(circle(50, 16, 10), pen.pick(pen.accent, WHITE), depth=1.3)
        for x, y in ((45, 12), (54, 13), (49, 19), (56, 20), (43, 18)):
            pen.fold(f"M {x} {y} L {x + 2} {y + 2}")
    pen.fill(symmetric("M 50 22 Q 24 22 21 66 Q 36 72 50 72"))
    for x in (-20, -12, -4, 4, 12, 20):
        pen.line(f"M {50 + x * 0.35} 23 Q {50 + x * 1.1} 32 {50 + x * 1.3} 64", 0.4)
    cuff = pen.accent if pen.pick(True, False, False) else mix(pen.main, BLACK, 0.12)
    pen.fill(symmetric("M 50 62 Q 32 62 19 58 Q 17 70 19 80 Q 32 85 50 85"), cuff)
    for x in range(-28, 29, 4):
        pen.line(
            f"M {50 + x} {62 - abs(x) * 0.1} L {50 + x} {84 - abs(x) * 0.1}",
            0.4,
            mix(cuff, BLACK, 0.25),
        )
    return f"Beanie{' with pompom' if pompom else ''}"

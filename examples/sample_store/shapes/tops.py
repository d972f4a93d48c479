"""Tops and dresses."""

from dataclasses import dataclass

from examples.sample_store.palette import BLACK, CREAM, mix
from examples.sample_store.paths import symmetric
from examples.sample_store.pen import Pen

NECKS = {  # half width, depth, how round (0 is a V)
    "Crew-neck": (9, 5, 1.0),
    "V-neck": (9, 17, 0.0),
    "Scoop-neck": (11, 13, 1.0),
}


@dataclass(frozen=True)
class Torso:
    """The cut of an upper body, in units: heights and half widths."""

    shoulder: float = 23
    chest: float = 21
    hem: float = 21
    bottom: float = 84
    neck: str = "Crew-neck"
    reach: float = 0  # how much nearer to the body than usual the sleeves end


def torso(pen: Pen, cut: Torso) -> None:
    """Draws the body piece, with the inside of its back visible in the neckline."""
    half, depth, roundness = NECKS[cut.neck]
    low, side = 15 + depth, 50 - half
    inside = f"M 50 15.5 Q {side + 4} 15.5 {side} 14 Q {side} {low} 50 {low + 1}"
    pen.fill(symmetric(inside), mix(pen.main, BLACK, 0.45), depth=0.4)
    bend = side + half * (1 - roundness) * 0.45
    neckline = f"M 50 {low} Q {bend} {low - (1 - roundness) * depth * 0.4} {side} 14"
    flank = f"L {50 - cut.shoulder} 19 Q {51 - cut.chest} 34 {50 - cut.chest} 42"
    end = cut.bottom + 2
    hem = f"Q {50 - cut.chest} {20 + end / 2} {50 - cut.hem} {cut.bottom} Q 40 {end} 50 {end}"
    pen.fill(symmetric(f"{neckline} {flank} {hem}"))
    pen.fold(f"M {52 - cut.chest} 44 Q {58 - cut.chest} 50 {62 - cut.chest} 60")
    pen.fold(f"M {48 + cut.chest} 44 Q {42 + cut.chest} 52 {40 + cut.chest} 64")


def neck_rib(pen: Pen, neck: str, *, contrast: bool = False) -> None:
    """Draws the ribbed edge of a neckline of `NECKS`."""
    half, depth, roundness = NECKS[neck]
    side, low = 50 - half, 15 + depth
    bend = side + half * (1 - roundness) * 0.45
    edge = symmetric(f"M 50 {low} Q {bend} {low - (1 - roundness) * depth * 0.4} {side} 14")
    middle = len(edge) // 2
    rim = (edge[middle:] + edge[:middle])[1:-1]  # its round ends stay inside the shoulder
    pen.band(rim, 2.4, pen.accent if contrast else mix(pen.main, BLACK, 0.12), depth=0.4)


def sleeves(pen: Pen, length: str, cut: Torso, *, cuff: bool = False) -> None:
    """Draws both sleeves ("short", "elbow" or "long"); call it before drawing the body."""
    top, pit = 50 - cut.shoulder, 50 - cut.chest
    ends = {"short": (11, 40, 21, 46), "elbow": (8, 54, 19, 58), "long": (6, 76, 15, 79)}
    outer, y, inner, v = ends[length]
    x, u = outer + cut.reach, inner + cut.reach
    turn = {"short": 35.0, "elbow": 25.0, "long": 14.0}[length]
    pen.fill_both(
        f"M {top + 10} 16 L {top} 19 Q {top - 6} 22 {top - 8} 30 L {x} {y} L {u} {v} "
        f"Q {pit - 2} 50 {pit + 3} 40 L {top + 12} 30",
        turn=turn,
    )
    if cuff:
        pen.fill_both(
            f"M {x} {y} L {u} {v} L {u - 1} {v + 5} L {x} {y + 5}", mix(pen.main, BLACK, 0.14)
        )
    else:
        pen.line_both(f"M {x + 0.6} {y - 2} L {u + 0.8} {v - 2}")
    if length == "long":
        pen.fold(f"M {15 + cut.reach} 52 Q {20 + cut.reach} 55 {24 + cut.reach} 54")
        pen.fold(f"M {84 - cut.reach} 50 Q {80 - cut.reach} 54 {77 - cut.reach} 53")


def hem_rib(pen: Pen, cut: Torso) -> None:
    """Draws the ribbed waistband of knitwear."""
    left, low = 50 - cut.hem, cut.bottom
    pen.fill(
        symmetric(f"M 50 {low + 1} L {left} {low - 1} L {left + 2} {low + 6} L 50 {low + 7}"),
        mix(pen.main, BLACK, 0.14),
    )
    for step in range(1, int(cut.hem) - 1, 2):
        pen.line_both(f"M {50 - step} {low + 2} L {50 - step} {low + 6}", 0.3)


def placket(pen: Pen, top: float, bottom: float, buttons: int) -> None:
    """Draws a buttoned front."""
    pen.line(f"M 48 {top} L 48 {bottom}")
    pen.line(f"M 52 {top} L 52 {bottom}")
    for index in range(buttons):
        pen.dot(50, top + 3 + index * (bottom - top - 4) / buttons, 0.9, CREAM)


def collar(pen: Pen, *, contrast: bool = False, spread: float = 0) -> None:
    """Draws a folded collar with two points."""
    paint = pen.accent if contrast else mix(pen.main, BLACK, 0.1)
    pen.fill(symmetric("M 50 13 L 41 11 L 40 16 L 50 20"), mix(pen.main, BLACK, 0.5), depth=0.3)
    pen.fill_both(f"M 42 9 Q 39 12 39 16 L {42 - spread} 26 L 50 20 Q 44 16 42 9", paint, depth=0.8)


def tshirt(pen: Pen) -> str:
    """Draws a T-shirt; returns a description."""
    neck = pen.pick("Crew-neck", "Crew-neck", "V-neck", "Scoop-neck")
    length, name = pen.pick(("short", ""), ("short", ""), ("elbow", ""), ("long", "long-sleeved "))
    cut = Torso(chest=pen.between(18, 22), hem=pen.between(18, 22), neck=neck)
    sleeves(pen, length, cut)
    torso(pen, cut)
    neck_rib(pen, neck, contrast=pen.pick(True, False, False))
    pen.stitch(f"M {51.5 - cut.hem} 82 Q 50 84 {48.5 + cut.hem} 82")
    pocket = pen.pick(True, False, False)
    if pocket:
        pen.fill("M 55 38 L 65 38 L 65 47 L 60 50 L 55 47", depth=0.4)
        pen.stitch("M 55 40 L 65 40")
    return f"{neck} {name}T-shirt{' with pocket' if pocket else ''}"


def tank(pen: Pen) -> str:
    """Draws a tank top; returns a description."""
    strap = pen.pick(4.5, 1.3)
    low = pen.between(24, 30)
    hem = pen.between(17, 24)
    pen.band("M 39 12.5 Q 50 22 61 12.5", strap / 2 + 0.7, mix(pen.main, BLACK, 0.4), depth=0)
    if strap < 2:
        for x, side in ((39, 37), (61, 63)):
            pen.band(f"M {x} 12.5 L {side} {low}", strap, mix(pen.main, BLACK, 0.15), depth=0.4)
        outline = f"M 50 {low + 3} L 37 {low - 2} Q 33 {low + 6} 30 40"
    else:
        outline = f"M 50 {low} Q 40 {low} 39 12 L {39 - strap} 13 Q 37 30 30 40"
    pen.fill(symmetric(f"{outline} Q 32 55 {50 - hem} 84 L 50 86"))
    pen.stitch(f"M {51 - hem} 82 Q 50 84 {49 + hem} 82")
    pen.fold("M 36 48 Q 42 54 44 64")
    pen.fold("M 64 50 Q 60 60 60 72")
    return "Strappy top" if strap < 2 else "Tank top"


def shirt(pen: Pen) -> str:
    """Draws a shirt; returns a description."""
    cut = Torso(chest=21, hem=pen.between(20, 23), bottom=84, neck="V-neck")
    length = pen.pick("long", "long", "short")
    sleeves(pen, length, cut, cuff=length == "long")
    torso(pen, cut)
    pen.fill(symmetric("M 50 34 L 48 34 L 44 20 L 41 14 L 50 14"), depth=0.2)
    placket(pen, 20, 85, 7)
    collar(pen, spread=pen.pick(0, 3))
    pockets = pen.pick(0, 1, 2)
    for x in (56, 34)[:pockets]:
        pen.fill(f"M {x} 36 L {x + 10} 36 L {x + 10} 45 L {x + 5} 48 L {x} 45", depth=0.4)
        pen.line(f"M {x} 39 L {x + 10} 39")
    return (
        f"{'Short-sleeved s' if length == 'short' else 'S'}hirt"
        + (("", " with chest pocket", " with two pockets")[pockets])
    )


def sweater(pen: Pen) -> str:
    """Draws a sweater; returns a description."""
    neck = pen.pick("Crew-neck", "V-neck", "Roll-neck")
    cut = Torso(
        shoulder=25,
        chest=23,
        hem=pen.between(21, 24),
        bottom=78,
        neck="Crew-neck" if neck == "Roll-neck" else neck,
    )
    sleeves(pen, "long", cut, cuff=True)
    torso(pen, cut)
    hem_rib(pen, cut)
    neck_rib(pen, cut.neck)
    if neck == "Roll-neck":
        pen.fill(symmetric("M 50 7 Q 42 7 41 9 L 40 19 Q 44 22 50 22"), mix(pen.main, BLACK, 0.08))
        for x in (43, 45, 47, 49):
            pen.line_both(f"M {x} 9 L {x - 0.5} 20", 0.3)
    if cable := pen.pick(True, False) and not pen.cloth.patterned:
        for x in (38, 50, 62):
            for y in range(28, 74, 6):
                pen.line(f"M {x - 2} {y} Q {x + 4} {y + 3} {x - 2} {y + 6}", 0.5)
                pen.line(f"M {x + 2} {y} Q {x - 4} {y + 3} {x + 2} {y + 6}", 0.5)
    return f"{neck} {'cable-knit ' if cable else ''}jumper"


def dress(pen: Pen) -> str:
    """Draws a dress; returns a description."""
    length, bottom = pen.pick(("Mini", 78), ("Midi", 89), ("Maxi", 99))
    flare = pen.pick(12, 19, 26)
    sleeve = pen.pick("", "", "short", "long")
    neck = pen.pick("V-neck", "Scoop-neck")
    cut = Torso(shoulder=16, chest=13, hem=9.5, bottom=50, neck=neck, reach=11)
    if sleeve:
        sleeves(pen, sleeve, cut)
    torso(pen, cut)
    pen.fill(
        symmetric(
            f"M 50 50 L 40.5 49 Q {42 - flare * 0.35} 62 {50 - flare} {bottom - 2} "
            f"Q 40 {bottom + 1} 50 {bottom + 1}"
        )
    )
    for x in (0.3, 0.75):
        pen.fold(f"M {50 - 7 * x} 53 Q {48 - flare * x * 0.6} 68 {50 - flare * x} {bottom - 2}")
        pen.fold(f"M {50 + 8 * x} 53 Q {52 + flare * x * 0.6} 68 {50 + flare * x} {bottom - 2}")
    belted = pen.pick(True, False)
    if belted:
        paint = pen.accent if not pen.cloth.patterned else mix(pen.main, BLACK, 0.4)
        pen.band("M 41 49 Q 50 51 59 49", 3, paint, depth=0.6)
        pen.fill("M 52 50 L 56 62 L 58.5 61 L 54 50", paint, depth=0.4)
    words = {"": "sleeveless", "short": "short-sleeved", "long": "long-sleeved"}
    return f"{length} {words[sleeve]} dress{' with belt' if belted else ''}"

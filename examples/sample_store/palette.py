"""Named colours, and functions on colours."""

from random import Random

RGB = tuple[int, int, int]

COLORS: dict[str, RGB] = {
    "Black": (42, 42, 46),
    "White": (240, 238, 233),
    "Grey": (148, 151, 156),
    "Navy": (40, 54, 94),
    "Blue": (64, 112, 184),
    "Light blue": (152, 190, 222),
    "Teal": (38, 130, 132),
    "Green": (66, 126, 84),
    "Olive": (116, 114, 68),
    "Yellow": (234, 192, 76),
    "Orange": (224, 126, 58),
    "Red": (194, 50, 52),
    "Burgundy": (116, 34, 52),
    "Pink": (234, 164, 180),
    "Purple": (116, 84, 154),
    "Brown": (122, 80, 52),
    "Beige": (212, 192, 160),
}
BLACK: RGB = (20, 20, 24)
WHITE: RGB = (250, 249, 246)
CREAM: RGB = (236, 226, 206)
METAL: RGB = (198, 176, 122)
RUBBER: RGB = (74, 62, 54)


def mix(color: RGB, other: RGB, share: float) -> RGB:
    """Mixes `color` with a share (0 to 1) of `other`."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(color, other, strict=True))
    return red, green, blue


def lightness(color: RGB) -> float:
    """Returns the perceived lightness, from 0 (black) to 255 (white)."""
    red, green, blue = color
    return 0.299 * red + 0.587 * green + 0.114 * blue


def ink(color: RGB) -> RGB:
    """Returns the colour of seams on cloth of this colour: darker, or lighter on dark cloth."""
    return mix(color, WHITE, 0.22) if lightness(color) < 75 else mix(color, BLACK, 0.42)


def dye(color: RGB, rng: Random, spread: int = 9) -> RGB:
    """Varies a colour slightly; each channel changes by about `spread` at most."""
    tone = rng.randint(-spread, spread)
    red, green, blue = (
        min(255, max(0, part + tone + rng.randint(-spread // 2, spread // 2))) for part in color
    )
    return red, green, blue


def companion(name: str, rng: Random) -> str:
    """Returns the name of a colour that contrasts with `name`."""
    base = lightness(COLORS[name])
    return rng.choice([other for other in COLORS if abs(lightness(COLORS[other]) - base) > 55])

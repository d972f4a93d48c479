"""Outlines as SVG paths in a square of 100 x 100 units with y pointing down.

Only the absolute commands M, L, Q and C are supported; shapes are closed without Z.
"""

import math
import re
from collections.abc import Iterator
from itertools import pairwise

Point = tuple[float, float]
Points = list[Point]

_STEPS = 14  # straight pieces per curve: no corner shows at the size we draw
_COMMAND = re.compile(r"([MLQC])([^MLQC]*)")
_POINTS_PER_PIECE = {"M": 1, "L": 1, "Q": 2, "C": 3}


def trace(path: str) -> Points:
    """Converts a path to points; curves become line segments."""
    points: Points = []
    for command, text in _COMMAND.findall(path):
        numbers = [float(number) for number in text.replace(",", " ").split()]
        given = list(zip(numbers[::2], numbers[1::2], strict=True))
        step = _POINTS_PER_PIECE[command]
        for first in range(0, len(given), step):
            piece = given[first : first + step]
            points += piece if step == 1 else _bezier([points[-1], *piece])
    return points


def _bezier(control: Points) -> Points:
    """Evaluates a Bezier curve by De Casteljau's algorithm, without its first point."""
    curve: Points = []
    for step in range(1, _STEPS + 1):
        t = step / _STEPS
        level = control
        while len(level) > 1:
            level = [
                (ax + (bx - ax) * t, ay + (by - ay) * t) for (ax, ay), (bx, by) in pairwise(level)
            ]
        curve += level
    return curve


def mirror(points: Points) -> Points:
    """Mirrors an outline at x = 50."""
    return [(100 - x, y) for x, y in points]


def symmetric(path: str) -> Points:
    """Completes an outline from its left half, which starts and ends at x = 50."""
    half = trace(path)
    return half + mirror(half)[::-1]


def circle(x: float, y: float, radius: float, squash: float = 1) -> Points:
    """Returns a circle, or an ellipse with height / width = `squash`."""
    turns = [step * math.tau / 32 for step in range(32)]
    return [(x + radius * math.cos(t), y + radius * squash * math.sin(t)) for t in turns]


def dashes(points: Points, on: float, off: float) -> Iterator[tuple[Point, Point]]:
    """Splits a line into stitches of length `on` with gaps of `off`, in units."""
    position = 0.0
    for (ax, ay), (bx, by) in pairwise(points):
        length = math.hypot(bx - ax, by - ay)
        start = -(position % (on + off))
        while start < length:
            low, high = max(start, 0) / length, min(start + on, length) / length
            if high > low:
                yield (
                    (ax + (bx - ax) * low, ay + (by - ay) * low),
                    (ax + (bx - ax) * high, ay + (by - ay) * high),
                )
            start += on + off
        position += length

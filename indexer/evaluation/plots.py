"""Charts as inline SVG, coloured by the classes of the report's style sheet."""

import math
from collections.abc import Iterable, Sequence

from markupsafe import Markup

from indexer.evaluation.bootstrap import Interval
from indexer.evaluation.classes import ClassResult
from indexer.evaluation.threshold import Threshold

_WIDTH, _LEFT, _RIGHT, _ROW, _AXIS = 720, 240, 64, 24, 26  # pixels
_HEIGHT = 240  # of a curve
_MAX_LABEL = 32  # characters
_MAX_TICKS = 5


def interval_chart(
    title: str, rows: Sequence[tuple[str, Interval]], form: str, reference: tuple[str, float]
) -> Markup:
    """Draws values with their intervals, one row each, and a line at a reference value."""
    lows = [reference[1], 0, *(each.low for _, each in rows)]
    highs = [reference[1], *(each.high for _, each in rows)]
    across = _Scale.round(min(lows), max(highs), _LEFT, _WIDTH - _RIGHT)
    height = len(rows) * _ROW
    parts = [_line(across(reference[1]), 0, across(reference[1]), height, "reference")]
    for number, (label, each) in enumerate(rows):
        y = number * _ROW + _ROW / 2
        parts += [
            _label(label, y),
            _line(across(each.low), y, across(each.high), y, "whisker"),
            Markup('<circle class="dot" cx="{:.1f}" cy="{:.1f}" r="5"/>').format(
                across(each.value), y
            ),
            _text(_WIDTH - _RIGHT + 8, y + 4, f"{each.value:{form}}", "start"),
        ]
    described = ", ".join(f"{label} {each.value:{form}}" for label, each in rows)
    name, value = reference
    return _svg(
        f"{title}: {described}; {name} {value:.3f}",
        height + _AXIS,
        [*parts, *_axis(across, height)],
    )


def class_chart(classes: Sequence[ClassResult]) -> Markup:
    """Draws the precision@1 of each class as a bar."""
    across = _Scale.round(0, 1, _LEFT, _WIDTH - _RIGHT)
    parts: list[Markup] = []
    for number, each in enumerate(classes):
        y = number * _ROW
        parts += [
            _label(f"{each.label} ({each.queries})", y + _ROW / 2),
            _bar(y + 4, across(0), across(each.precision_at_1)),
            _text(_WIDTH - _RIGHT + 8, y + _ROW / 2 + 4, f"{each.precision_at_1:.2f}", "start"),
        ]
    height = len(classes) * _ROW
    described = ", ".join(f"{each.label} {each.precision_at_1:.2f}" for each in classes)
    return _svg(
        f"precision@1 by class: {described}",
        height + _AXIS,
        [*parts, *_axis(across, height)],
    )


def threshold_chart(chosen: Threshold) -> Markup:
    """Draws the share of right results, and of queries with a result, over the minimum score."""
    points = chosen.curve
    across = _Scale.round(points[0].score, points[-1].score, _LEFT, _WIDTH - _RIGHT)
    down = _Scale(1, 0, 8, _HEIGHT)
    parts = [
        _curve([(across(p.score), down(p.right)) for p in points], "curve"),
        _curve([(across(p.score), down(p.answered)) for p in points], "curve dashed"),
        _text(_LEFT - 12, down(points[0].right) + 4, "right results", "end"),
        _text(_LEFT - 12, down(points[0].answered) + 4, "queries with a result", "end"),
    ]
    parts += [
        _text(_WIDTH - _RIGHT + 8, down(share) + 4, f"{share:.0%}", "start")
        for share in (0, 0.5, 1)
    ]
    described = "no minimum score is proposed"
    if chosen.score is not None:
        x = across(chosen.score)
        parts.append(_line(x, 8, x, _HEIGHT, "reference"))
        described = f"proposed minimum score {chosen.score}"
    title = "Share of right results, and of queries with a result, by minimum score"
    return _svg(f"{title}: {described}", _HEIGHT + _AXIS, [*parts, *_axis(across, _HEIGHT)])


class _Scale:
    """Maps values from `low` to `high` to pixels from `start` to `end`."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self.low, self.high = low, high
        self._start, self._end = start, end

    @classmethod
    def round(cls, low: float, high: float, start: float, end: float) -> "_Scale":
        """Returns a scale that begins and ends at one of its ticks."""
        step = _step(high - low)
        return cls(math.floor(low / step) * step, math.ceil(high / step) * step, start, end)

    def ticks(self) -> list[float]:
        """Returns round values."""
        step = _step(self.high - self.low)
        first, last = round(self.low / step), round(self.high / step)
        return [number * step for number in range(first, last + 1)]

    def __call__(self, value: float) -> float:
        share = (value - self.low) / ((self.high - self.low) or 1)
        return self._start + share * (self._end - self._start)


def _step(extent: float) -> float:
    """Returns a round step of which about `_MAX_TICKS` make up the extent."""
    rough = (extent or 1) / _MAX_TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= rough * 0.999)


def _axis(across: _Scale, y: float) -> Iterable[Markup]:
    yield _line(across(across.low), y, across(across.high), y, "axis")
    for value in across.ticks():
        yield _line(across(value), y, across(value), y + 4, "axis")
        yield _text(across(value), y + 18, f"{value:zg}" if value else "0", "middle")


def _label(text: str, y: float) -> Markup:
    shown = text if len(text) <= _MAX_LABEL else f"{text[: _MAX_LABEL - 1]}…"
    return _text(_LEFT - 12, y + 4, shown, "end")


def _text(x: float, y: float, text: str, anchor: str) -> Markup:
    form = Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>')
    return form.format(x, y, anchor, text)


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    form = Markup('<line class="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>')
    return form.format(kind, x1, y1, x2, y2)


def _bar(y: float, x1: float, x2: float) -> Markup:
    form = Markup('<rect class="bar" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{}"/>')
    return form.format(x1, y, x2 - x1, _ROW - 8)


def _curve(points: Sequence[tuple[float, float]], kind: str) -> Markup:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return Markup('<polyline class="{}" points="{}"/>').format(kind, path)


def _svg(description: str, height: float, parts: Iterable[Markup]) -> Markup:
    form = Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>')
    return form.format(_WIDTH, round(height), description, Markup("").join(parts))

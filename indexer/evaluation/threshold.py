"""The score that separates matches from results that are nothing like the query."""

from dataclasses import dataclass

import numpy as np

from indexer.evaluation.measuring import Measured

SHARE = 0.9  # of the results at or above the score that are right
MIN_RESULTS = 50  # fewer do not show whether nine of ten are right
_DECIMALS = 3
_POINTS = 60


@dataclass(frozen=True)
class Threshold:
    """A proposal for `min_score`.

    Attributes:
        score: the lowest at or above which `SHARE` of the results are right; None if there is none.
        detail: why there is none; empty otherwise.
        right: the share that is right at or above the score; without one, of all results.
        answered: the share of queries with a result at or above the score; without one, of all.
    """

    score: float | None
    detail: str
    right: float
    answered: float

    def sentence(self) -> str:
        """Returns the proposal in words."""
        if self.score is None:
            return f"no min_score: {self.detail}"
        return (
            f"min_score {self.score}: {self.right:.1%} of the results at or above it are right;"
            f" {self.answered:.0%} of the queries have one"
        )


@dataclass(frozen=True)
class Point:
    """What a minimum score does: the share of right results, and of queries with a result."""

    score: float
    right: float
    answered: float


def propose(measured: Measured) -> Threshold:
    """Proposes `min_score`, with three decimals, from the first results of all queries."""
    scores, right = _results(measured)
    everything = _at(measured, -np.inf)
    if everything.right >= SHARE:
        detail = f"{SHARE:.0%} of all results are right without a minimum score"
        return Threshold(None, detail, everything.right, everything.answered)
    steps = 10**_DECIMALS
    rounded = np.floor(scores.astype(np.float64) * steps) / steps
    shares = right.cumsum() / np.arange(1, len(right) + 1)
    last = np.append(rounded[1:] != rounded[:-1], True)  # of those with the same rounded score
    good = np.flatnonzero(last & (shares >= SHARE) & (np.arange(1, len(right) + 1) >= MIN_RESULTS))
    if not len(good):
        detail = f"no score has {MIN_RESULTS} results of which {SHARE:.0%} are right"
        return Threshold(None, detail, everything.right, everything.answered)
    found = _at(measured, float(rounded[good[-1]]))
    return Threshold(found.score, "", found.right, found.answered)


def curve(measured: Measured) -> list[Point]:
    """Returns what minimum scores between the lowest and the highest result would do."""
    scores, _ = _results(measured)
    return [_at(measured, score) for score in np.linspace(scores[-1], scores[0], _POINTS).tolist()]


def _results(measured: Measured) -> tuple[np.ndarray, np.ndarray]:
    """Returns scores and correctness of all results, by descending score."""
    shown = measured.products >= 0
    scores, right = measured.scores[shown], measured.right[shown]
    order = np.argsort(-scores, kind="stable")
    return scores[order], right[order]


def _at(measured: Measured, score: float) -> Point:
    shown = (measured.products >= 0) & (measured.scores >= score)
    right = int(np.count_nonzero(measured.right & shown))
    return Point(score, right / max(1, int(shown.sum())), float(shown.any(axis=1).mean()))

"""The score that separates matches from results that are nothing like the query."""

from dataclasses import dataclass

import numpy as np

from indexer.evaluation.measuring import Measured
from indexer.evaluation.metrics import Flags, Scores

SHARE = 0.9  # of the results at or above the score that are right
MIN_RESULTS = 50  # fewer do not show whether nine of ten are right
_DECIMALS = 3
_POINTS = 60


@dataclass(frozen=True)
class Point:
    """What a minimum score does: the share of right results, and of queries with a result."""

    score: float
    right: float
    answered: float


@dataclass(frozen=True)
class Threshold:
    """A proposal for `min_score`.

    Attributes:
        score: the lowest at or above which `SHARE` of the results are right; None if there is none.
        detail: why there is none; empty otherwise.
        depth: number of results of each query that count.
        right: the share that is right at or above the score; without one, of all results.
        answered: the share of queries with a result at or above the score; without one, of all.
        answered_wrong: the share that would have one if no right product existed.
        curve: what other minimum scores would do.
    """

    score: float | None
    detail: str
    depth: int
    right: float
    answered: float
    answered_wrong: float
    curve: list[Point]

    def sentence(self) -> str:
        """Returns the proposal in words."""
        if self.score is None:
            return f"no min_score: {self.detail}"
        results = "first results" if self.depth == 1 else "results"
        return (
            f"min_score {self.score}: {self.right:.1%} of the {results} at or above it are right;"
            f" {self.answered:.0%} of the queries have one, and {self.answered_wrong:.0%} would if"
            " no right product existed"
        )


def propose(measured: Measured, depth: int) -> Threshold:
    """Proposes `min_score`, with three decimals, from the first `depth` results of all queries."""
    scores, right = measured.scores[:, :depth], measured.right[:, :depth]
    shown = measured.products[:, :depth] >= 0

    def at(score: float) -> Point:
        kept = shown & (scores >= score)
        found = int(np.count_nonzero(right & kept))
        return Point(score, found / max(1, int(kept.sum())), float(kept.any(axis=1).mean()))

    everything = at(-np.inf)
    lowest, highest = float(scores[shown].min()), float(scores[shown].max())
    curve = [at(score) for score in np.linspace(lowest, highest, _POINTS).tolist()]
    score, detail = None, ""
    if everything.right >= SHARE:
        detail = f"{SHARE:.0%} of all results are right without a minimum score"
    else:
        score = _lowest(scores[shown], right[shown])
        if score is None:
            detail = f"no score has {MIN_RESULTS} results of which {SHARE:.0%} are right"
    chosen = everything if score is None else at(score)
    wrong = measured.wrong
    answered_wrong = float(((wrong > -np.inf) & (wrong >= chosen.score)).mean())
    return Threshold(score, detail, depth, chosen.right, chosen.answered, answered_wrong, curve)


def _lowest(scores: Scores, right: Flags) -> float | None:
    """Returns the lowest score at or above which `SHARE` of the results (n,) are right."""
    order = np.argsort(-scores, kind="stable")
    steps = 10**_DECIMALS
    rounded = np.floor(scores[order].astype(np.float64) * steps) / steps
    numbers = np.arange(1, len(order) + 1)
    shares = right[order].cumsum() / numbers
    last = np.append(rounded[1:] != rounded[:-1], True)  # of those with the same rounded score
    good = np.flatnonzero(last & (shares >= SHARE) & (numbers >= MIN_RESULTS))
    return float(rounded[good[-1]]) if len(good) else None

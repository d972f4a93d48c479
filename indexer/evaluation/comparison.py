"""Whether one model is worse than another: the gate of a release."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from indexer.evaluation.bootstrap import Interval
from indexer.evaluation.results import ModelResult

MIN_QUERIES = 30  # the bootstrap of fewer misses rare failures altogether
UNRATED_WRONG = "_unrated_wrong"  # ends the name of a metric for which unrated results are wrong

Outcome = Literal["regression", "improvement", "no difference", "undecided"]


@dataclass(frozen=True)
class Verdict:
    """The second of two results compared with the first.

    The metric is nDCG@k: it measures the page that shoppers see, with labels and with grades. A
    mean over the whole ranking (mAP) reacts to changes far below it.

    Attributes:
        metric: its name.
        outcome: `undecided` if there are fewer than `MIN_QUERIES` queries, or if it would be
            another one if unrated results were wrong; else `regression` if the 95 % interval of
            the paired difference is below `-tolerance`, `improvement` if it is above 0.
        difference: second minus first.
        tolerance: a loss up to this is accepted.
        queries: number of queries that count in the metric.
        if_unrated_wrong: the difference if unrated results are wrong; None without ratings.
    """

    metric: str
    outcome: Outcome
    difference: Interval
    tolerance: float
    queries: int
    if_unrated_wrong: Interval | None

    @property
    def failed(self) -> bool:
        """Whether a release must not pass: the second is worse, or nobody can say."""
        return self.outcome in ("regression", "undecided")

    def sentence(self) -> str:
        """Returns the verdict in words."""
        if self.queries < MIN_QUERIES:
            return (
                f"undecided: queries measured: {self.queries}, needed: {MIN_QUERIES};"
                f" {self.metric} {self.difference.value:+.4f}"
            )
        found = f"{self.metric} {_told(self.difference)}; accepted loss {self.tolerance:g}"
        if self.outcome == "undecided" and self.if_unrated_wrong:
            return (
                f"undecided: results without a rating could turn the verdict, rate more; {found}\n"
                f"if these results are wrong: {self.metric} {_told(self.if_unrated_wrong)}"
            )
        loss = -self.difference.low
        if self.outcome == "no difference" and loss > self.tolerance:
            return f"no difference shown; a loss of up to {loss:.3f} is possible: {found}"
        return f"{self.outcome}: {found}"


def compare(results: Sequence[ModelResult], k: int, tolerance: float, queries: int) -> Verdict:
    """Compares the second result with the first.

    Args:
        results: two.
        k: number of results that count as the first page.
        tolerance: a loss of nDCG@k that is accepted, 0 or above.
        queries: number of queries that count in nDCG@k.
    """
    metric = f"nDCG@{k}"
    differences = results[1].difference or {}
    difference = differences[metric]
    unrated_wrong = differences.get(metric + UNRATED_WRONG)
    outcome = _outcome(difference, tolerance)
    turned = unrated_wrong is not None and _outcome(unrated_wrong, tolerance) != outcome
    if queries < MIN_QUERIES or turned:
        outcome = "undecided"
    return Verdict(metric, outcome, difference, tolerance, queries, unrated_wrong)


def _outcome(difference: Interval, tolerance: float) -> Outcome:
    if difference.high < -tolerance:
        return "regression"
    return "improvement" if difference.low > 0 else "no difference"


def _told(difference: Interval) -> str:
    return f"{difference.value:+.4f}, 95 % interval {difference.low:+.4f} to {difference.high:+.4f}"

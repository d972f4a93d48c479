"""Whether one model is worse than another: the gate of a release."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from indexer.evaluation.bootstrap import Interval
from indexer.evaluation.results import ModelResult

Outcome = Literal["regression", "improvement", "no difference"]


@dataclass(frozen=True)
class Verdict:
    """The second of two results compared with the first.

    The metric is nDCG@k: it measures the page that shoppers see, with labels and with grades. A
    mean over the whole ranking (mAP) reacts to changes far below it.

    Attributes:
        metric: its name.
        outcome: `regression` if the 95 % interval of the paired difference is below
            `-tolerance`, `improvement` if it is above 0.
        difference: second minus first.
        tolerance: a loss up to this is accepted.
    """

    metric: str
    outcome: Outcome
    difference: Interval
    tolerance: float

    def sentence(self) -> str:
        """Returns the verdict in words."""
        found = self.difference
        return (
            f"{self.outcome}: {self.metric} {found.value:+.4f}, 95 % interval {found.low:+.4f} to"
            f" {found.high:+.4f}; accepted loss {self.tolerance:g}"
        )


def compare(results: Sequence[ModelResult], k: int, tolerance: float) -> Verdict:
    """Compares the second result with the first.

    Args:
        results: two.
        k: number of results that count as the first page.
        tolerance: a loss of nDCG@k that is accepted, 0 or above.
    """
    metric = f"nDCG@{k}"
    difference = (results[1].difference or {})[metric]
    outcome: Outcome = "no difference"
    if difference.high < -tolerance:
        outcome = "regression"
    elif difference.low > 0:
        outcome = "improvement"
    return Verdict(metric, outcome, difference, tolerance)

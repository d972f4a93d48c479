"""The metrics of a model with one distance, and their differences to the first result."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from indexer.arrays import Ids
from indexer.evaluation.bootstrap import Interval, intervals
from indexer.evaluation.distances import Metric
from indexer.evaluation.metrics import Values

_DIGITS = 4

Means = dict[str, Interval]


@dataclass(frozen=True)
class ModelResult:
    """One model with one distance.

    Attributes:
        model: its name.
        distance: between vectors.
        metrics: means over the queries by name, with their intervals.
        difference: of each metric to the first result, paired by query; None for the first.
    """

    model: str
    distance: Metric
    metrics: Means
    difference: Means | None

    @property
    def name(self) -> str:
        """Model and distance, as shown."""
        return f"{self.model}, {self.distance}"

    def fields(self) -> dict[str, Any]:
        """Returns the result for `--json`."""
        return {
            "model": self.model,
            "distance": self.distance,
            "metrics": _fields(self.metrics),
            "difference": self.difference and _fields(self.difference),
        }


def means(
    values: Mapping[str, Values],
    first: Mapping[str, Values] | None,
    groups: Ids | None = None,
    *,
    seed: int,
) -> tuple[Means, Means | None]:
    """Returns the means of metrics, and of their differences to the first result.

    Args:
        values: (n,) by name of the metric, one per query, at least one.
        first: those of the first result; None if these are.
        groups: (n,), of queries that depend on each other; None for independent queries.
        seed: of the intervals.
    """
    found = intervals(values, groups, seed=seed)
    if first is None:
        return found, None
    changes = {name: each - first[name] for name, each in values.items()}
    return found, intervals(changes, groups, seed=seed)


def rounded(value: Any) -> Any:
    """Returns a document with all its numbers rounded."""
    if isinstance(value, float):
        return round(value, _DIGITS)
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(inner) for inner in value]
    return value


def _fields(found: Means) -> dict[str, Any]:
    return {name: rounded(asdict(each)) for name, each in found.items()}

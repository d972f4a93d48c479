"""Bootstrap intervals of means: how much a metric would vary with other queries.

B. Efron, "Bootstrap methods: another look at the jackknife" (1979); percentile intervals. Queries
of one group, such as the photos of a product, depend on each other and are drawn together.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from indexer.arrays import Ids
from indexer.evaluation.metrics import Values

LEVEL = 0.95
RESAMPLES = 2000


@dataclass(frozen=True)
class Interval:
    """A mean with the bounds of its 95 % interval."""

    value: float
    low: float
    high: float


def intervals(
    values: Mapping[str, Values], groups: Ids | None = None, *, seed: int = 0
) -> dict[str, Interval]:
    """Returns the means of several metrics of the same queries, with their intervals.

    Args:
        values: (n,) by name of the metric, one per query, at least one.
        groups: (n,), of queries that depend on each other; None for independent queries.
        seed: of the random draws.
    """
    columns = np.stack(list(values.values()), axis=1)
    groups = (
        np.arange(len(columns)) if groups is None else np.unique(groups, return_inverse=True)[1]
    )
    sizes = np.bincount(groups)
    sums = np.stack([np.bincount(groups, column) for column in columns.T], axis=1)
    random = np.random.RandomState(seed)
    means = np.empty((RESAMPLES, len(values)))
    for resample in means:
        drawn = random.randint(0, len(sizes), len(sizes))
        resample[...] = sums[drawn].sum(axis=0) / sizes[drawn].sum()
    tail = (1 - LEVEL) / 2
    lows, highs = np.quantile(means, [tail, 1 - tail], axis=0)
    return {
        name: Interval(float(mean), float(low), float(high))
        for name, mean, low, high in zip(values, columns.mean(axis=0), lows, highs, strict=True)
    }

"""The most frequent values of an attribute."""

from collections.abc import Sequence

import numpy as np

from indexer.store import AttributeValue, FacetCount


def most_frequent(
    keys: Sequence[int], labels: Sequence[AttributeValue], counts: Sequence[int], limit: int
) -> list[FacetCount]:
    """Sums the counts of equal keys; returns the largest, each with its most frequent label."""
    _, group = np.unique(keys, return_inverse=True)
    totals = np.bincount(group, counts).astype(np.int64)
    least = np.partition(totals, -limit)[-limit] if len(totals) > limit else 0
    spellings: dict[int, dict[AttributeValue, int]] = {}
    for at in np.flatnonzero(totals[group] >= least).tolist():
        spelling = spellings.setdefault(int(group[at]), {})
        spelling[labels[at]] = spelling.get(labels[at], 0) + int(counts[at])
    shown = [
        FacetCount(min(same, key=lambda label: (-same[label], str(label))), int(totals[at]))
        for at, same in spellings.items()
    ]
    return sorted(shown, key=lambda facet: (-facet.count, str(facet.value)))[:limit]

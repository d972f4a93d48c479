"""Metrics by label, and which labels are confused with each other."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from indexer.evaluation.measuring import Measured
from indexer.evaluation.tasks import SameLabel

_CONFUSIONS = 3  # shown for each class


@dataclass(frozen=True)
class ClassResult:
    """The queries of one label.

    Attributes:
        label: its name.
        queries: their number.
        precision_at_1: the share whose nearest product has the label.
        average_precision: their mean average precision.
        confused_with: the most frequent labels of wrong nearest products, with their numbers.
    """

    label: str
    queries: int
    precision_at_1: float
    average_precision: float
    confused_with: list[tuple[str, int]]


def by_class(judgements: SameLabel, measured: Measured) -> list[ClassResult]:
    """Returns the metrics of each label, the worst first."""
    labels = judgements.queries[measured.queries]
    nearest = judgements.products[measured.products[:, 0]]
    results = []
    for label in np.unique(labels).tolist():
        of_label = labels == label
        wrong = nearest[of_label & (nearest != label)].tolist()
        results.append(
            ClassResult(
                judgements.names[label],
                int(of_label.sum()),
                float(measured.values["precision@1"][of_label].mean()),
                float(measured.values["mAP"][of_label].mean()),
                [(judgements.names[i], n) for i, n in Counter(wrong).most_common(_CONFUSIONS)],
            )
        )
    return sorted(results, key=lambda result: (result.precision_at_1, result.label))

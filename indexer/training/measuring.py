"""Compares vectors before and after training, on products that the training did not see."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from indexer.arrays import Ids, Vectors
from indexer.evaluation.bootstrap import Interval
from indexer.evaluation.document import Scope
from indexer.evaluation.evaluation import Evaluation, measure_models
from indexer.evaluation.measuring import Vectorised
from indexer.evaluation.preparing import Prepared, drawn
from indexer.evaluation.tasks import SameLabel, Task
from indexer.training.examples import Examples

BEFORE, AFTER = "before", "after"
METRIC = "precision@1"
MIN_GAIN = 0.0
_MAX_QUERIES = 5000  # of more, a random sample is measured
_K = 10


@dataclass(frozen=True)
class Measurement:
    """The results before and after training, judged by one column of labels."""

    column: str
    scope: Scope
    evaluation: Evaluation

    @property
    def difference(self) -> Interval:
        """What training changed, paired by query."""
        return (self.evaluation.results[1].difference or {})[METRIC]


def measure(
    examples: Examples,
    folds: Ids,
    vectors: Mapping[str, Vectors],
    source: str,
    errors: Mapping[str, str],
    seed: int,
) -> list[Measurement]:
    """Measures each column of labels; every photo searches among those of its own fold.

    Args:
        examples: all photos.
        folds: (products,), the fold of each.
        vectors: (photos, dimension), `BEFORE` and `AFTER`; those after training come from a model
            that did not see the fold of the photo.
        source: of the photos, as shown.
        errors: location and reason of photos left out.
        seed: of samples and intervals.
    """
    measurements = []
    for place, column in enumerate(examples.names):
        labelled, kept = examples.column(place)
        photos = labelled.photos
        rows = drawn(len(photos), _MAX_QUERIES, seed)
        queries = photos.keep(rows)
        judgements = SameLabel(labelled.names, labelled.labels[queries.owners], labelled.labels)
        product_folds = folds[np.unique(examples.photos.owners[kept])]
        task = Task(photos, queries, rows, judgements, product_folds)
        models = [
            Vectorised(name, rows_of_model[kept], rows_of_model[kept][rows])
            for name, rows_of_model in vectors.items()
        ]
        evaluation = measure_models(task, models, ["cosine"], k=_K, seed=seed)
        prepared = Prepared(task, models, labelled, len(photos), dict(errors))
        scope = Scope.of(prepared, evaluation, source, f"attribute {column}", 0)
        measurements.append(Measurement(column, scope, evaluation))
    return measurements


def improved(measurements: Sequence[Measurement]) -> bool:
    """Returns whether training has improved the metric by any column of labels."""
    return any(each.difference.value > MIN_GAIN for each in measurements)

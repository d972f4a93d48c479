"""Measures models and distances on one task."""

from collections.abc import Sequence
from dataclasses import dataclass

from indexer.evaluation.classes import ClassResult, by_class
from indexer.evaluation.distances import Metric
from indexer.evaluation.labels import NothingToMeasureError
from indexer.evaluation.measuring import Measured, Vectorised, measure
from indexer.evaluation.results import ModelResult, means
from indexer.evaluation.tasks import SameLabel, Task
from indexer.evaluation.threshold import Threshold, propose


@dataclass(frozen=True)
class Result(ModelResult):
    """One model with one distance, measured with labels or query photos.

    Attributes:
        vectors: of the model.
        threshold: the proposed `min_score`; None for other distances than that of searches.
        classes: results by label, the worst first; empty without labels.
        measured: the results of each query.
    """

    vectors: Vectorised
    threshold: Threshold | None
    classes: list[ClassResult]
    measured: Measured


@dataclass(frozen=True)
class Evaluation:
    """The results of all models and distances on one task.

    Attributes:
        task: what was searched for.
        k: number of results that count as the first page.
        seed: of samples and intervals.
        chance: the metrics of a random order.
        results: at least one.
    """

    task: Task
    k: int
    seed: int
    chance: dict[str, float]
    results: list[Result]

    @property
    def queries(self) -> int:
        """The number of queries measured: those with a right product in the gallery."""
        return len(self.results[0].measured.queries)

    @property
    def main_metrics(self) -> list[str]:
        """The metrics to show first.

        A page holds few of a common label's products, so neither its recall nor its hit rate says
        much.
        """
        k = self.k
        if isinstance(self.task.judgements, SameLabel):
            names = ["precision@1", f"precision@{k}", "mAP", f"nDCG@{k}"]
        else:
            names = ["precision@1", f"hit_rate@{k}", f"recall@{k}", "mAP", f"nDCG@{k}"]
        return list(dict.fromkeys(names))


def measure_models(
    task: Task, models: Sequence[Vectorised], distances: Sequence[Metric], *, k: int, seed: int
) -> Evaluation:
    """Measures every model with every distance.

    Args:
        task: queries, gallery and judgements.
        models: vectors of the photos; the first one is the reference of the others.
        distances: the first one is the reference of the others.
        k: number of results that count as the first page.
        seed: of the intervals.

    Raises:
        NothingToMeasureError: no query has a right product in the gallery.
    """
    results: list[Result] = []
    for vectors in models:
        for distance in distances:
            measured = measure(task, vectors, distance, k)
            if not len(measured.queries):
                raise NothingToMeasureError(
                    "nothing to measure: no query has a right product among the products searched"
                )
            first = results[0].measured if results else None
            results.append(_result(task, vectors, distance, measured, first, seed))
    chance = {name: float(each.mean()) for name, each in results[0].measured.chance.items()}
    return Evaluation(task, k, seed, chance, results)


def _result(
    task: Task,
    vectors: Vectorised,
    distance: Metric,
    measured: Measured,
    first: Measured | None,
    seed: int,
) -> Result:
    # Photos of one product depend on each other.
    groups = task.queries.owners[measured.queries]
    metrics, difference = means(measured.values, first.values if first else None, groups, seed=seed)
    labelled = isinstance(task.judgements, SameLabel)
    # Named products are few, and look-alikes that are not named count as wrong.
    depth = measured.products.shape[1] if labelled else 1
    return Result(
        vectors.name,
        distance,
        metrics,
        difference,
        vectors,
        propose(measured, depth) if distance == "cosine" else None,
        by_class(task.judgements, measured) if isinstance(task.judgements, SameLabel) else [],
        measured,
    )

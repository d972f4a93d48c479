"""The tables that `evaluate` prints."""

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table

from indexer.evaluation.bootstrap import Interval
from indexer.evaluation.classes import ClassResult
from indexer.evaluation.comparison import Verdict
from indexer.evaluation.document import Scope
from indexer.evaluation.evaluation import Evaluation

_WORST = 5  # classes shown


def tables(scope: Scope, evaluation: Evaluation, verdict: Verdict | None) -> Group:
    """Returns the results as text."""
    first = evaluation.results[0]
    parts: list[RenderableType] = [*scope.sentences(), "", _metrics(evaluation)]
    if len(evaluation.results) > 1:
        parts += ["", f"difference to {first.name}", _differences(evaluation)]
    parts += ["", *_thresholds(evaluation)]
    if verdict:
        parts += ["", verdict.sentence()]
    elif first.classes:
        parts += ["", f"worst classes of {first.name}", _worst(first.classes[:_WORST])]
    return Group(*parts)


def _metrics(evaluation: Evaluation) -> Table:
    names = evaluation.main_metrics
    table = Table("model", "distance", *names, box=None)
    for result in evaluation.results:
        cells = (cell(result.metrics[name], ".3f") for name in names)
        table.add_row(result.vectors.name, result.distance, *cells)
    table.add_row("chance", "", *(f"{evaluation.chance[name]:.3f}" for name in names))
    return table


def _differences(evaluation: Evaluation) -> Table:
    names = evaluation.main_metrics
    table = Table("model", "distance", *names, box=None)
    for result in evaluation.results:
        if difference := result.difference:
            cells = (cell(difference[name], "+z.3f") for name in names)
            table.add_row(result.vectors.name, result.distance, *cells)
    return table


def cell(interval: Interval, form: str) -> str:
    """Returns a value above its interval."""
    return f"{interval.value:{form}}\n{interval.low:{form}} to {interval.high:{form}}"


def _thresholds(evaluation: Evaluation) -> Iterator[str]:
    for result in evaluation.results:
        if result.threshold:
            yield f"{result.name}: {result.threshold.sentence()}"


def _worst(classes: Sequence[ClassResult]) -> Table:
    table = Table("class", "queries", "precision@1", "mAP", "nearest is instead", box=None)
    for each in classes:
        table.add_row(
            each.label,
            str(each.queries),
            f"{each.precision_at_1:.3f}",
            f"{each.average_precision:.3f}",
            ", ".join(f"{label} ({number})" for label, number in each.confused_with),
        )
    return table

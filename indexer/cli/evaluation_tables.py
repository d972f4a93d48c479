"""The tables that `evaluate` prints."""

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Column, Table

from indexer.evaluation.bootstrap import Interval
from indexer.evaluation.classes import ClassResult
from indexer.evaluation.comparison import Verdict
from indexer.evaluation.document import Scope
from indexer.evaluation.evaluation import Evaluation
from indexer.evaluation.results import ModelResult

_WORST = 5  # classes shown


def tables(scope: Scope, evaluation: Evaluation, verdict: Verdict | None) -> Group:
    """Returns the results as text."""
    results, names = evaluation.results, evaluation.main_metrics
    first = results[0]
    metrics = metrics_table(results, names)
    metrics.add_row("chance", "", *(f"{evaluation.chance[name]:.3f}" for name in names))
    parts: list[RenderableType] = [*scope.sentences(), "", metrics]
    parts += differences(results, names)
    parts += ["", *_thresholds(evaluation)]
    if verdict:
        parts += ["", verdict.sentence()]
    elif first.classes:
        parts += ["", f"worst classes of {first.name}", _worst(first.classes[:_WORST])]
    return Group(*parts)


def metrics_table(
    results: Sequence[ModelResult], names: Sequence[str], plain: Sequence[str] = ()
) -> Table:
    """Returns a row for each result.

    Args:
        results: to show.
        names: metrics to show with their intervals.
        plain: metrics to show without.
    """
    table = Table(_model(), "distance", *names, *plain, box=None)
    for result in results:
        cells = [_cell(result.metrics[name], ".3f") for name in names]
        cells += [f"{result.metrics[name].value:.3f}" for name in plain]
        table.add_row(result.model, result.distance, *cells)
    return table


def differences(results: Sequence[ModelResult], names: Sequence[str]) -> list[RenderableType]:
    """Returns the differences to the first result, with a heading; nothing for one result."""
    if len(results) == 1:
        return []
    table = Table(_model(), "distance", *names, box=None)
    for result in results:
        if difference := result.difference:
            cells = (_cell(difference[name], "+z.3f") for name in names)
            table.add_row(result.model, result.distance, *cells)
    return ["", f"difference to {results[0].name}", table]


def _model() -> Column:
    """Returns the column of names; snapshots differ only at the end."""
    return Column("model", overflow="fold", no_wrap=False)


def _cell(interval: Interval, form: str) -> str:
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

"""An evaluation as one HTML file."""

from collections.abc import Callable, Sequence
from pathlib import Path

from markupsafe import Markup

from indexer.evaluation.comparison import Verdict
from indexer.evaluation.document import Scope
from indexer.evaluation.evaluation import Evaluation, Result
from indexer.evaluation.failures import failures
from indexer.evaluation.plots import class_chart, interval_chart, threshold_chart
from indexer.evaluation.preparing import Model
from indexer.images import ImageLimits
from indexer.pages import render_page

_TEMPLATE = Path(__file__).with_name("report.html")
_MAX_CLASSES = 30
_MAX_CURVES = 4
_LOST = "The queries that lost most nDCG against the first result."
_WRONG = "The queries whose first result is wrong with the highest score."


def render(
    scope: Scope,
    evaluation: Evaluation,
    models: Sequence[Model],
    verdict: Verdict | None,
    read: Callable[[str], bytes],
    limits: ImageLimits,
) -> str:
    """Returns the report as HTML.

    Classes and failures are those of the first result, or of the second if there is a verdict.

    Args:
        scope: what was measured.
        evaluation: the results.
        models: that were measured.
        verdict: of a comparison.
        read: returns the bytes of the photo at a location.
        limits: maximum size of a photo.
    """
    first = evaluation.results[0]
    shown, before = (evaluation.results[1], first) if verdict else (first, None)
    classes = shown.classes[:_MAX_CLASSES]
    return render_page(
        _TEMPLATE,
        scope=scope,
        evaluation=evaluation,
        verdict=verdict,
        models=models,
        failures=failures(evaluation, shown, before, read, limits),
        failure_rule=_LOST if before else _WRONG,
        metrics=evaluation.main_metrics,
        metric_charts=_metric_charts(evaluation),
        differences=_difference_charts(evaluation),
        threshold_charts=_threshold_charts(evaluation),
        shown=shown,
        classes=classes,
        class_chart=class_chart(classes),
    )


def _threshold_charts(evaluation: Evaluation) -> list[tuple[Result, Markup]]:
    shown = [(each, each.threshold) for each in evaluation.results if each.threshold]
    return [(each, threshold_chart(threshold)) for each, threshold in shown[:_MAX_CURVES]]


def _metric_charts(evaluation: Evaluation) -> list[tuple[str, Markup]]:
    return [
        (
            name,
            interval_chart(
                name,
                [(result.name, result.metrics[name]) for result in evaluation.results],
                ".3f",
                ("chance", evaluation.chance[name]),
            ),
        )
        for name in evaluation.main_metrics
    ]


def _difference_charts(evaluation: Evaluation) -> list[tuple[str, Markup]]:
    changed = [(each.name, each.difference) for each in evaluation.results if each.difference]
    return [
        (
            name,
            interval_chart(
                f"difference of {name}",
                [(label, difference[name]) for label, difference in changed],
                "+.3f",
                ("no difference", 0),
            ),
        )
        for name in (evaluation.main_metrics if changed else [])
    ]

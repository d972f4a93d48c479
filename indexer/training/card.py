"""The model card: a Markdown file about a model, next to its weights.

M. Mitchell et al., "Model Cards for Model Reporting", arXiv 1810.03993.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from indexer import __version__
from indexer.evaluation.bootstrap import Interval
from indexer.training.examples import NONE, Examples
from indexer.training.measuring import Measurement
from indexer.training.run import Trained
from indexer.training.split import VALIDATION

_METHOD = (
    "Measured by cross-validation with {folds} folds: each photo searches among the other products"
    " of its fold, with vectors of a model that was trained without this fold. The number of epochs"
    " was found on {share} of the other products. All photos of a product, its variants, and"
    " products that share a photo are in one fold. The model in the file was trained in the same"
    " way on all products. In brackets: 95 % bootstrap intervals."
)


@dataclass(frozen=True)
class Facts:
    """What a card says besides the measurements.

    Attributes:
        trained: the result of the training.
        name: of the weights file.
        sha256: of the weights file.
        source: of the photos.
        command: that was run.
        seconds: that the command took.
        cores: available to it.
    """

    trained: Trained
    name: str
    sha256: str
    source: str
    command: str
    seconds: float
    cores: int


def card(facts: Facts, examples: Examples, measurements: Sequence[Measurement]) -> str:
    """Returns the text of the card."""
    base, options = facts.trained.base, facts.trained.options
    rows = {
        "Weights file": f"`{facts.name}`, SHA-256 `{facts.sha256}`",
        "Base": f"{base.model}, `{base.weights}`, SHA-256 `{base.weights_sha256}`",
        "Input": f"side {base.input_size}, resize {base.resize}, pooling {base.pooling}",
        "Trained": f"a linear layer from {base.dimension} to {options.dimension} values"
        + (f" and {options.unfrozen}" if options.unfrozen else "")
        + f", {facts.trained.epochs} epochs",
        "Photos": f"{len(examples.photos):,} of {len(examples.labels):,} products"
        f" from {facts.source}",
        "Labels": "; ".join(_counts(examples)),
        "Seed": str(options.seed),
        "Command": f"`{facts.command}`",
        "Made": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC by version {__version__}, in"
        f" {facts.seconds:.0f} s on {facts.cores} cores",
    }
    return "\n".join(
        [
            f"# {facts.name}",
            "",
            "| | |",
            "|---|---|",
            *(f"| {name} | {_escaped(value)} |" for name, value in rows.items()),
            "",
            "## Quality",
            "",
            _METHOD.format(folds=options.folds, share=f"{VALIDATION:.0%}"),
            "",
            "| label | metric | before | after | difference |",
            "|---|---|---|---|---|",
            *(line for each in measurements for line in _lines(each)),
            "",
        ]
    )


def _counts(examples: Examples) -> Iterator[str]:
    for (name, values), column in zip(examples.names.items(), examples.labels.T, strict=True):
        known = column[column != NONE]
        yield f"{name}: {len(values)} values, {len(known):,} products"


def _lines(measurement: Measurement) -> Iterator[str]:
    before, after = measurement.evaluation.results
    for name in measurement.evaluation.main_metrics:
        cells = [_cell(each.metrics[name], ".3f") for each in (before, after)]
        change = _cell((after.difference or {})[name], "+.3f")
        yield f"| {_escaped(measurement.column)} | {name} | {' | '.join(cells)} | {change} |"


def _escaped(text: str) -> str:
    """Returns a text as a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def _cell(interval: Interval, form: str) -> str:
    return f"{interval.value:{form}} ({interval.low:{form}} to {interval.high:{form}})"

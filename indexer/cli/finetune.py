"""The command `finetune`."""

import shlex
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.progress import Progress

from indexer.cli.app import App, Output, log, reporting
from indexer.cli.errors import DONE, FAILED, SOME_REJECTED
from indexer.cli.evaluation_tables import tables
from indexer.cli.examples import labelled_photos
from indexer.cli.outcome import with_rejections
from indexer.embedding import available_cores, resolve_spec
from indexer.embedding.weights import save_headed
from indexer.evaluation.document import document
from indexer.evaluation.preparing import Model
from indexer.files import storage_error, write_atomically
from indexer.training.base import Base, base_of
from indexer.training.card import Facts, card
from indexer.training.checkpoint import Checkpoint
from indexer.training.fitting import Stage
from indexer.training.inputs import TrainingData
from indexer.training.measuring import AFTER, BEFORE, METRIC, Measurement, improved, measure
from indexer.training.output import OutputFiles
from indexer.training.run import Options, Trained, train
from indexer.training.split import assign_folds

_BLOCK = "block5"


@click.command()
@click.argument("output", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("feed", type=click.Path(path_type=Path), required=False)
@click.option(
    "--label",
    "labels",
    multiple=True,
    default=["category"],
    show_default=True,
    help="Attribute that makes products alike.",
)
@click.option(
    "--dimensions",
    type=click.IntRange(2, 512),
    default=256,
    show_default=True,
    help="Length of the new vectors.",
)
@click.option(
    "--unfreeze",
    type=click.Choice([_BLOCK]),
    help="Train the last convolutions too, from the photos. Slow without a GPU.",
)
@click.option(
    "--folds",
    type=click.IntRange(2, 20),
    default=5,
    show_default=True,
    help="Parts of the products; to measure the gain, a model is trained without each.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="Seed of everything random.",
)
@reporting
def finetune(
    app: App,
    output: Path,
    feed: Path | None,
    labels: tuple[str, ...],
    dimensions: int,
    unfreeze: str | None,
    folds: int,
    seed: int,
) -> Output:
    """Train the configured model on labels of products and write it to OUTPUT (.npz).

    A linear layer is added to the model and trained so that products with the same label are
    closer. Without FEED, it learns from the stored vectors of the collection and reads no photo;
    FEED is a folder with a subfolder for each label, or any feed that `add` reads. The gain is
    measured on products that the training did not see. A model card is written beside OUTPUT, with
    the suffix .md; existing files are never replaced. If a run is interrupted, the same command
    continues it. To use the model, set embedding.weights to OUTPUT and run `rebuild --re-embed`.
    """
    start = time.monotonic()
    files = OutputFiles(output)
    files.require_usable()
    base, options = base_of(app.embedding), Options(dimensions, folds, seed, unfreeze)
    material = labelled_photos(app, feed, labels, stored=not unfreeze)
    assign_folds(material.examples, folds, seed)  # fails before photos are embedded
    key = material.key(base.spec.fingerprint, options)
    with Checkpoint.opened(files.checkpoint, key) as checkpoint:
        data = material.data(app, base.spec, options, checkpoint)
        trained = _train(base, data, options, checkpoint)
        if trained.epochs:
            result = _saved(app, files, trained, data, material.source, start)
        else:
            result = _no_gain(output, [])
        checkpoint.remove()
    return with_rejections(result, material.rejected)


def _train(base: Base, data: TrainingData, options: Options, checkpoint: Checkpoint) -> Trained:
    with Progress(console=log) as progress:
        task = progress.add_task("training", total=options.folds + 1)

        def report(stage: Stage) -> None:
            done = options.folds if stage.fold is None else stage.fold
            part = "all products" if stage.fold is None else f"fold {done + 1} of {options.folds}"
            epoch, scores = stage.course.epochs, stage.course.scores
            score = f", validation {METRIC} {scores[-1]:.3f}" if scores else ", on all parts"
            progress.update(task, completed=done, description=f"{part}: epoch {epoch}{score}")

        trained = train(base, data, options, checkpoint, report)
        progress.update(task, completed=options.folds + 1)
        return trained


def _no_gain(output: Path, measured: Iterable[RenderableType]) -> Output:
    told = (
        f"training does not improve {METRIC} on products that it did not see; {output} was not"
        " written. The labels may not be visible in the photos, or too few products have them"
    )
    return Output({"file": None, "card": None, "epochs": 0}, Group(*measured, told), FAILED)


def _saved(
    app: App, files: OutputFiles, trained: Trained, data: TrainingData, source: str, start: float
) -> Output:
    """Measures the training and writes its files if it helped.

    Args:
        app: of the command.
        files: to write.
        trained: the result of the training.
        data: that it learned from.
        source: of the photos, as shown.
        start: of the command, by the monotonic clock.
    """
    examples, vectors = data.examples, {BEFORE: data.features, AFTER: trained.vectors}
    seed = trained.options.seed
    measurements = measure(examples, trained.folds, vectors, source, data.errors, seed)
    if not improved(measurements):
        return _no_gain(files.weights, _measured(trained.options.folds, measurements))
    files.require_new()
    facts = Facts(
        trained,
        name=files.weights.name,
        sha256=save_headed(files.weights, trained.convolutions, trained.head, trained.manifest),
        source=source,
        command=f"python -m indexer {shlex.join(sys.argv[1:])}",
        seconds=round(time.monotonic() - start, 1),
        cores=available_cores(),
    )
    try:
        write_atomically(files.card, card(facts, examples, measurements).encode(errors="replace"))
    except OSError as error:
        raise storage_error(f"cannot write {files.card}", error) from error
    return Output(
        _document(app, files, facts, measurements),
        Group(*_text(files, facts, measurements)),
        SOME_REJECTED if data.errors else DONE,
    )


def _document(
    app: App, files: OutputFiles, facts: Facts, measurements: Sequence[Measurement]
) -> dict[str, Any]:
    models = []
    for name, weights in ((BEFORE, facts.trained.base.weights), (AFTER, str(files.weights))):
        settings = app.embedding.model_copy(update={"weights": weights})
        fields = resolve_spec(settings).fields
        models.append(Model(name, {"weights": weights, **fields}, partial(app.load, settings)))
    return {
        "file": str(files.weights),
        "card": str(files.card),
        "sha256": facts.sha256,
        **asdict(facts.trained.options),
        "epochs": facts.trained.epochs,
        "seconds": facts.seconds,
        "columns": {
            each.column: document(each.scope, each.evaluation, models, None)
            for each in measurements
        },
    }


def _text(
    files: OutputFiles, facts: Facts, measurements: Sequence[Measurement]
) -> Iterator[RenderableType]:
    options = facts.trained.options
    yield from _measured(options.folds, measurements)
    yield (
        f"wrote {files.weights} and {files.card} after {facts.trained.epochs} epochs,"
        f" {facts.seconds:.0f} s; set embedding.weights to it, run `rebuild --re-embed`, then"
        " restart the services"
    )
    yield (
        "The labels say nothing of finding the very same product: if you have photos of shoppers,"
        f" run `evaluate --queries FILE --compare current weights={files.weights}` before"
    )


def _measured(folds: int, measurements: Sequence[Measurement]) -> Iterator[RenderableType]:
    yield (
        f"cross-validation with {folds} folds: each photo searches among the products of its fold,"
        " after training by a model that did not see this fold"
    )
    for each in measurements:
        yield ""
        yield tables(each.scope, each.evaluation, None)
    yield ""
    for each in measurements:
        change = each.difference
        remark = "; this may be chance" if change.low <= 0 else ""
        if change.high < 0:
            remark = "; it became worse: keep the weights that you have"
        yield (
            f"{METRIC} of {each.column}: {change.value:+.3f}, 95 % interval {change.low:+.3f} to"
            f" {change.high:+.3f}{remark}"
        )

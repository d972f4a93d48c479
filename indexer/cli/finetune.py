"""The command `finetune`."""

import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.progress import Progress

from indexer.cli.app import App, Output, log, reporting
from indexer.cli.errors import FAILED
from indexer.cli.evaluation_tables import tables
from indexer.cli.examples import from_collection, from_feed
from indexer.embedding import available_cores, resolve_spec
from indexer.embedding.head import SUFFIX
from indexer.embedding.weights import save_headed
from indexer.errors import BadParameterError
from indexer.evaluation.document import document
from indexer.evaluation.preparing import Model
from indexer.files import storage_error, write_atomically
from indexer.training.base import base_of
from indexer.training.card import Facts, card
from indexer.training.checkpoint import Checkpoint
from indexer.training.examples import Examples
from indexer.training.fitting import Stage
from indexer.training.inputs import PhotoInputs
from indexer.training.measuring import AFTER, BEFORE, METRIC, Measurement, measure
from indexer.training.run import Base, Options, Trained, train

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
    help="Attribute that makes products alike; repeat for several.",
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
@click.option("--seed", default=0, show_default=True, help="Seed of everything random.")
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
    measured on products that the training did not see. A model card is written beside OUTPUT. An
    interrupted run can be continued. To use the model, set embedding.weights to OUTPUT and run
    `rebuild --re-embed`.
    """
    start = time.monotonic()
    _check(output)
    spec, convolutions = base_of(app.embedding)
    stored = unfreeze is None
    material = from_feed(feed, labels) if feed else from_collection(app, labels, stored=stored)
    material.examples.require_pairs("`finetune` needs")
    options = Options(dimensions, folds, seed)
    key = material.key(spec.fingerprint, str(options), unfreeze)
    checkpoint = Checkpoint(output.with_suffix(".checkpoint"), key)
    examples, features, errors = material.features(app, checkpoint)
    photos = None
    if unfreeze:
        limits = app.settings.images.limits()
        photos = PhotoInputs(examples.photos, app.photos.read, spec, limits)
    base = Base(spec, convolutions, features, photos)
    trained = _train(base, examples, options, checkpoint)
    if not trained.epochs:
        return _useless(output)
    vectors = {BEFORE: features, AFTER: trained.vectors}
    measurements = measure(examples, trained.folds, vectors, material.source, errors, seed)
    facts = Facts(
        name=output.name,
        sha256=save_headed(output, trained.convolutions, trained.head, trained.manifest),
        base=spec,
        unfrozen=unfreeze,
        source=material.source,
        command=f"python -m indexer {shlex.join(sys.argv[1:])}",
        options=options,
        epochs=trained.epochs,
        seconds=round(time.monotonic() - start, 1),
        cores=available_cores(),
    )
    _write(output.with_suffix(".md"), card(facts, examples, measurements))
    checkpoint.remove()
    return Output(
        _document(app, output, facts, measurements),
        Group(*_text(output, facts, measurements)),
        notes=[f"rejected: {each.source}: {each.reason}" for each in material.rejected],
    )


def _check(output: Path) -> None:
    if output.suffix != SUFFIX:
        raise BadParameterError(f"OUTPUT: received {str(output)!r}; the name must end in {SUFFIX}")
    if not output.absolute().parent.is_dir():
        raise BadParameterError(f"OUTPUT: there is no folder {output.absolute().parent}")


def _train(base: Base, examples: Examples, options: Options, checkpoint: Checkpoint) -> Trained:
    with Progress(console=log) as progress:
        task = progress.add_task("training", total=options.folds + 1)

        def report(stage: Stage) -> None:
            done = options.folds if stage.fold is None else stage.fold
            part = "all products" if stage.fold is None else f"fold {done + 1} of {options.folds}"
            epoch, scores = stage.course.epochs, stage.course.scores
            score = f", validation {METRIC} {scores[-1]:.3f}" if scores else ", on all parts"
            progress.update(task, completed=done, description=f"{part}: epoch {epoch}{score}")

        return train(base, examples, options, checkpoint, report)


def _useless(output: Path) -> Output:
    return Output(
        {"file": None, "epochs": 0},
        f"training does not improve {METRIC} on validation products; {output} was not written."
        " The labels may not be visible in the photos, or too few products have them",
        FAILED,
    )


def _write(path: Path, text: str) -> None:
    try:
        write_atomically(path, text.encode())
    except OSError as error:
        raise storage_error(f"cannot write {path}", error) from error


def _document(
    app: App, output: Path, facts: Facts, measurements: Sequence[Measurement]
) -> dict[str, Any]:
    models = []
    for name, weights in ((BEFORE, facts.base.weights), (AFTER, str(output))):
        settings = app.embedding.model_copy(update={"weights": weights})
        fields = resolve_spec(settings).fields
        models.append(Model(name, {"weights": weights, **fields}, partial(app.load, settings)))
    return {
        "file": str(output),
        "card": str(output.with_suffix(".md")),
        "sha256": facts.sha256,
        "unfrozen": facts.unfrozen,
        **asdict(facts.options),
        "epochs": facts.epochs,
        "seconds": facts.seconds,
        "columns": {
            each.column: document(each.scope, each.evaluation, models, None)
            for each in measurements
        },
    }


def _text(
    output: Path, facts: Facts, measurements: Sequence[Measurement]
) -> Iterator[RenderableType]:
    yield (
        f"cross-validation with {facts.options.folds} folds: each photo searches among the products"
        " of its fold, after training by a model that did not see this fold"
    )
    for each in measurements:
        yield ""
        yield tables(each.scope, each.evaluation, None)
    yield ""
    for each in measurements:
        change = each.difference
        yield (
            f"{METRIC} of {each.column}: {change.value:+.3f}, 95 % interval {change.low:+.3f} to"
            f" {change.high:+.3f}" + ("" if change.low > 0 else "; this may be chance")
        )
    yield (
        f"wrote {output} and {output.with_suffix('.md')} after {facts.epochs} epochs,"
        f" {facts.seconds:.0f} s; set embedding.weights to it, run `rebuild --re-embed`, then"
        " restart the services"
    )

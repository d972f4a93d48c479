"""The command `evaluate`."""

from collections.abc import Collection, Sequence
from pathlib import Path

import click

from indexer.cli.app import App, Output, reading
from indexer.cli.contenders import Material, from_collections, from_feed
from indexer.cli.errors import DONE, FAILED, SOME_REJECTED
from indexer.cli.evaluation_tables import tables
from indexer.cli.options import require_label, require_report
from indexer.cli.outcome import with_rejections
from indexer.cli.progress import progress_bar
from indexer.cli.rated import files_by_hash, rated_tables, stored_ratings
from indexer.config import CURRENT
from indexer.embedding import Embedder
from indexer.errors import BadParameterError
from indexer.evaluation.comparison import MIN_QUERIES, Verdict, compare
from indexer.evaluation.distances import Metric
from indexer.evaluation.document import Scope, document
from indexer.evaluation.embedding import Embedded, embed
from indexer.evaluation.evaluation import Evaluation, measure_models
from indexer.evaluation.labels import LabelsError, NothingToMeasureError, with_rejected
from indexer.evaluation.preparing import (
    Embed,
    Model,
    Prepared,
    prepare_labels,
    prepare_queries,
)
from indexer.evaluation.queries import Judged, read_queries
from indexer.evaluation.rated_evaluation import Options, evaluate_ratings
from indexer.evaluation.tasks import PhotoSet
from indexer.files import storage_error, write_atomically

_LABEL = "category"
_TOLERANCE = 0.001


@click.command()
@click.argument("feed", type=click.Path(path_type=Path), required=False)
@click.option("--label", help=f"Attribute that makes products alike.  [default: {_LABEL}]")
@click.option(
    "--queries",
    type=click.Path(path_type=Path, dir_okay=False),
    help="CSV file of query photos and the products that are right for each: columns photo,"
    " product_id, optionally grade and box.",
)
@click.option(
    "--ratings",
    is_flag=True,
    help="Measure with the judgements of the rating page, /rate.",
)
@click.option(
    "--photos",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="With --ratings: folder of the photos that were rated as queries.",
)
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="MODEL",
    help=f"What to measure: {CURRENT}, or settings of `embedding` such as"
    " weights=imagenet,input_size=224. Several are compared with the first."
    f"  [default: {CURRENT}]",
)
@click.option(
    "--compare",
    "pair",
    nargs=2,
    metavar="A B",
    help="Compare two: each is a collection, a snapshot, or a MODEL. The exit code is 1 if B is"
    f" worse, or if that is undecided, as with fewer than {MIN_QUERIES} queries.",
)
@click.option(
    "--distance",
    "distances",
    multiple=True,
    type=click.Choice(["cosine", "l2", "l1", "hamming"]),
    default=["cosine"],
    show_default=True,
    help="Distance between vectors. Searches use the cosine.",
)
@click.option(
    "-k",
    "--limit",
    type=click.IntRange(1, 200),
    default=10,
    show_default=True,
    help="Results of the first page.",
)
@click.option(
    "--sample",
    type=click.IntRange(1),
    default=5000,
    show_default=True,
    help="Maximum number of queries; of more, a random sample is measured.",
)
@click.option("--seed", default=0, show_default=True, help="Seed of samples and intervals.")
@click.option(
    "--tolerance",
    type=click.FloatRange(0, 1),
    help=f"Loss of nDCG that --compare accepts.  [default: {_TOLERANCE:g}]",
)
@click.option(
    "--report",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write an HTML file with charts and pictures of the worst failures.",
)
@reading
def evaluate(
    app: App,
    feed: Path | None,
    label: str | None,
    queries: Path | None,
    ratings: bool,
    photos: Path | None,
    models: tuple[str, ...],
    pair: tuple[str, str] | None,
    distances: tuple[Metric, ...],
    limit: int,
    sample: int,
    seed: int,
    tolerance: float | None,
    report: Path | None,
) -> Output:
    """Measure the quality of the search results with labels or judgements.

    Without FEED, the products of the collection are measured by their stored vectors: each photo
    searches for the others (leave-one-out), and products with the same LABEL are right. FEED is a
    folder with a subfolder for each label, or any feed that `add` reads: its photos are embedded,
    the collection is not used. With --queries, other photos search; with --ratings, what people
    have rated. docs/quality.md explains the numbers.
    """
    names = _names(models, pair, distances)
    by = _label(label, queries, ratings)
    _check(pair, tolerance, ratings, photos, report)
    accepted = _TOLERANCE if tolerance is None else tolerance
    options = Options(distances, limit, sample, seed, accepted if pair else None)
    judged = read_queries(queries) if queries else None
    material = from_feed(app, feed, by, names) if feed else from_collections(app, by, names)
    rejected = [*material.rejected, *(judged.rejected if judged else ())]
    try:
        if ratings:
            output = _by_raters(app, material, photos, options)
        else:
            judged_by = f"attribute {by}" if by else str(queries)
            output = _by_labels(app, material, judged, judged_by, options, report)
    except LabelsError as error:
        if not rejected:
            raise
        raise with_rejected(error, rejected) from error
    return with_rejections(output, rejected)


def _names(
    models: Sequence[str], pair: tuple[str, str] | None, distances: Sequence[Metric]
) -> Sequence[str]:
    if pair and (models or len(distances) > 1):
        raise BadParameterError("--compare names what to measure; pass no --model, one --distance")
    if len(set(distances)) < len(distances):
        raise BadParameterError(
            f"--distance: received {', '.join(distances)}; each must be different"
        )
    for name in pair or ():
        if name.startswith("-"):
            raise BadParameterError(f"--compare needs two names; received {name!r} as one")
    return pair or models or (CURRENT,)


def _label(label: str | None, queries: Path | None, ratings: bool) -> str | None:
    """Returns the attribute that makes products alike; None if something else names the right ones.

    Raises:
        BadParameterError: several do, or the label is empty.
    """
    require_label(label)
    if (label is not None) + (queries is not None) + ratings > 1:
        raise BadParameterError(
            "pass one of --label, --queries and --ratings, which name the right products"
        )
    return None if queries or ratings else label or _LABEL


def _check(
    pair: tuple[str, str] | None,
    tolerance: float | None,
    ratings: bool,
    photos: Path | None,
    report: Path | None,
) -> None:
    """Raises BadParameterError if options do not go together, or the report cannot be written."""
    if photos and not ratings:
        raise BadParameterError("--photos needs --ratings")
    if tolerance is not None and not pair:
        raise BadParameterError("--tolerance needs --compare")
    if report and ratings:
        raise BadParameterError("--report is not available with --ratings")
    require_report(report)


def _by_raters(app: App, material: Material, photos: Path | None, options: Options) -> Output:
    judged, files = stored_ratings(app), files_by_hash(photos)
    gallery, models = material.gallery, material.models
    evaluation = evaluate_ratings(gallery, models, _embed(app), judged, files, options)
    found = material.source, material.not_common
    text = rated_tables(evaluation, *found)
    code = _code(evaluation.verdict, evaluation.prepared.errors)
    return Output(evaluation.document(*found), text, code)


def _by_labels(
    app: App,
    material: Material,
    judged: Judged | None,
    judged_by: str,
    options: Options,
    report: Path | None,
) -> Output:
    k, seed, tolerance = options.k, options.seed, options.tolerance
    prepared = _prepared(app, material, judged, options.sample, seed)

    def scope_of(evaluation: Evaluation | None) -> Scope:
        return Scope.of(prepared, evaluation, material.source, judged_by, material.not_common)

    task, vectors = prepared.task, prepared.models
    try:
        evaluation = measure_models(task, vectors, options.distances, k=k, seed=seed)
    except NothingToMeasureError as error:
        raise LabelsError("; ".join([str(error), *scope_of(None).sentences()])) from error
    scope, queries = scope_of(evaluation), evaluation.queries
    verdict = None if tolerance is None else compare(evaluation.results, k, tolerance, queries)
    if report:
        _write(app, report, scope, evaluation, material.models, verdict)
    text = tables(scope, evaluation, verdict)
    code = _code(verdict, scope.unreadable, scope.unknown)
    return Output(document(scope, evaluation, material.models, verdict), text, code)


def _code(verdict: Verdict | None, *left_out: Collection[str]) -> int:
    if verdict and verdict.failed:
        return FAILED
    return SOME_REJECTED if any(left_out) else DONE


def _write(
    app: App,
    file: Path,
    scope: Scope,
    evaluation: Evaluation,
    models: Sequence[Model],
    verdict: Verdict | None,
) -> None:
    from indexer.evaluation.report import render  # imports Jinja, which no other command needs

    limits = app.settings.images.limits()
    html = render(scope, evaluation, models, verdict, app.photos.read, limits)
    try:
        write_atomically(file, html.encode())
    except OSError as error:
        raise storage_error(f"cannot write {file}", error) from error


def _prepared(
    app: App, material: Material, judged: Judged | None, sample: int, seed: int
) -> Prepared:
    gallery, models, embedded = material.gallery, material.models, _embed(app)
    if judged is None:
        return prepare_labels(gallery, models, embedded, sample=sample, seed=seed)
    return prepare_queries(gallery, judged, models, embedded, sample=sample, seed=seed)


def _embed(app: App) -> Embed:
    limits = app.settings.images.limits()

    def embedded(photos: PhotoSet, embedder: Embedder) -> Embedded:
        with progress_bar("embedding", len(photos)) as advance:
            return embed(photos, app.photos.read, embedder, limits, advance)

    return embedded

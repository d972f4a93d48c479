"""The command `audit`."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import click
from rich.console import Group, RenderableType
from rich.table import Table

from indexer.audit.files import PhotoFiles
from indexer.audit.findings import ABOUT, Audit, Finding, Kind, products_of
from indexer.audit.run import OF_FILES
from indexer.audit.run import audit as run
from indexer.cli.app import App, Output, reading
from indexer.cli.errors import DONE, FAILED
from indexer.cli.options import require_label, require_report
from indexer.cli.progress import progress_bar
from indexer.errors import BadParameterError
from indexer.files import storage_error, write_atomically
from indexer.store.places import location_of

_EXAMPLES = 3
_KINDS = click.Choice([kind.value for kind in Kind])


@click.command()
@click.option(
    "--only",
    type=_KINDS,
    metavar="KIND",
    multiple=True,
    help="Kind of finding to look for, such as near_duplicate.  [default: all]",
)
@click.option(
    "--label",
    help="Attribute that alike photos share, for unlike_label.  [default: category, if there is"
    " one]",
)
@click.option(
    "--no-photos",
    is_flag=True,
    help="Do not read the files of photos; check only what is in the catalogue.",
)
@click.option(
    "--fail-on",
    type=_KINDS,
    metavar="KIND",
    multiple=True,
    help="Exit with 1 if there is a finding of this kind.",
)
@click.option(
    "--report",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write an HTML file with pictures of the worst findings.",
)
@reading
def audit(
    app: App,
    only: tuple[str, ...],
    label: str | None,
    no_photos: bool,
    fail_on: tuple[str, ...],
    report: Path | None,
) -> Output:
    """Find what is wrong with the photos of the collection.

    Duplicates, missing, changed, blank, small and blurred files, photos unlike those of their
    category, and products that searches never or too often find. Changes nothing.
    docs/auditing.md explains the findings.
    """
    require_label(label)
    require_report(report)
    kinds = _kinds(only, fail_on, no_photos=no_photos)
    catalog = app.catalog()
    files = None if no_photos else PhotoFiles(app.photos, partial(location_of, catalog.folder))
    made = run(catalog, kinds, partial(progress_bar, transient=True), label=label, files=files)
    if report:
        _write(report, made, app.collection, files)
    failed = any(made.findings[Kind(kind)] for kind in fail_on)
    return Output(
        {"collection": app.collection, **made.document()},
        Group(*_text(made)),
        FAILED if failed else DONE,
        made.notes,
    )


def _kinds(only: Sequence[str], fail_on: Sequence[str], *, no_photos: bool) -> set[Kind]:
    kinds = set(map(Kind, only)) or set(Kind)
    if no_photos:
        if unread := sorted(OF_FILES.intersection(map(Kind, [*only, *fail_on]))):
            raise BadParameterError(f"--no-photos: {', '.join(unread)} needs the files of photos")
        kinds -= OF_FILES
    if missing := sorted({*map(Kind, fail_on)} - kinds):
        raise BadParameterError(f"--fail-on: {', '.join(missing)} must also be in --only")
    return kinds


def _write(file: Path, made: Audit, collection: str, files: PhotoFiles | None) -> None:
    from indexer.audit.report import render  # imports Jinja, which few commands need

    try:
        write_atomically(file, render(made, collection, files).encode())
    except OSError as error:
        raise storage_error(f"cannot write {file}", error) from error


def _text(made: Audit) -> Iterator[RenderableType]:
    table = Table("kind", "findings", "products", "worst", box=None)
    for kind, found in made.findings.items():
        table.add_row(kind.value, f"{len(found):,}", f"{products_of(found):,}", _examples(found))
    yield f"{made.products:,} products, {made.images:,} images, {made.photos_read:,} files read"
    for reason, number in made.photos_skipped.items():
        yield f"files not read: {number:,}, {reason}"
    yield ""
    yield table
    for kind, found in made.findings.items():
        if found:
            yield ""
            yield f"{kind.value}: {ABOUT[kind].meaning} {ABOUT[kind].advice}"


def _examples(found: Sequence[Finding]) -> str:
    names = [", ".join(each.products[:_EXAMPLES]) for each in found[:_EXAMPLES]]
    return "; ".join(names)

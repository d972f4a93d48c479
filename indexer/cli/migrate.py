"""The command `migrate`."""

from contextlib import ExitStack, closing
from dataclasses import asdict
from functools import partial
from typing import Literal

import click

from indexer.backend import open_collection
from indexer.cli.app import App, Output, log, reporting
from indexer.cli.errors import DONE, FAILED
from indexer.cli.options import waiting
from indexer.cli.progress import counting_bar
from indexer.errors import CatalogMissingError
from indexer.ingest.removal import MAX_REMOVAL
from indexer.maintenance.migration import Changes, plan
from indexer.maintenance.migration import migrate as run_migrate
from indexer.store import Store

Backend = Literal["faiss", "milvus"]
_OTHER: dict[str, Backend] = {"milvus": "faiss", "faiss": "milvus"}


@click.command()
@click.option(
    "--to",
    "target",
    type=click.Choice(sorted(_OTHER)),
    required=True,
    help="Backend to copy to; it is copied from the other one, whatever index.backend says.",
)
@click.option("--dry-run", is_flag=True, help="Print the plan; change nothing.")
@click.option("--allow-mass-removal", is_flag=True, help="Allow removing any number of products.")
@waiting
@reporting
def migrate(app: App, target: Backend, dry_run: bool, allow_mass_removal: bool) -> Output:
    """Copy the collection between this machine (faiss) and Milvus, with its vectors.

    Adds, updates and removes products until both are equal; removing more than 20 % of the
    products of the destination must be allowed. Then compares the counts, 100 products and 100
    searches; the exit code is 1 if they differ. An interrupted run can be repeated: what has been
    copied is not copied again. Searches go on meanwhile, and changes too until the last step.
    """
    limit = 1 if allow_mass_removal else MAX_REMOVAL
    with ExitStack() as opened:
        source = opened.enter_context(closing(_open(app, _OTHER[target], create=False)))
        if dry_run:
            destination = _existing(app, target)
            if destination:
                opened.enter_context(closing(destination))
            with log.status("comparing"):
                changes, refused = plan(source, destination, max_removal=limit)
            document = asdict(changes) | {"refused": refused or None}
            notes = [f"refused: {refused}"] if refused else []
            return Output(document, _text(changes), FAILED if refused else DONE, notes)
        destination = opened.enter_context(closing(_open(app, target, create=True)))
        with counting_bar("copying", partial(_products, source)) as advance:
            changes, comparison = run_migrate(
                source,
                destination,
                max_removal=limit,
                progress=advance,
                copied=partial(app.maintain, destination),
            )
    document = asdict(changes) | {"ok": not comparison.findings} | asdict(comparison)
    lines = [
        f"copied to {target}: {_text(changes)}",
        f"{comparison.searches} searches, overlap of the first 10: {comparison.overlap:.4f}",
        *comparison.findings,
    ]
    return Output(document, "\n".join(lines), FAILED if comparison.findings else DONE)


def _open(app: App, backend: Backend, *, create: bool) -> Store:
    index = app.settings.index.model_copy(update={"backend": backend})
    settings = app.settings.model_copy(update={"index": index})
    return open_collection(settings, app.collection, create=create, wait_s=app.wait_s)


def _existing(app: App, backend: Backend) -> Store | None:
    try:
        return _open(app, backend, create=False)
    except CatalogMissingError:
        return None


def _products(store: Store) -> int:
    with store.reader() as reader:
        return reader.counts()[0]


def _text(changes: Changes) -> str:
    return ", ".join(f"{number} {what}" for what, number in asdict(changes).items())

"""The command `verify`."""

from contextlib import closing

import click

from indexer.backend import verify as find_damage
from indexer.cli.app import App, Output, log, reporting
from indexer.cli.errors import DONE, FAILED
from indexer.errors import CatalogError


@click.command()
@reporting
def verify(app: App) -> Output:
    """Verify the catalogue, its vectors, its index file and uploaded photos.

    In Milvus: that each product is complete, the counts are right and vectors have length 1. Reads
    everything. Prints a line for each problem; the exit code is 1 if there is any.
    """
    try:
        store = app.store()
    except CatalogError as error:
        return findings([str(error)])
    with closing(store), log.status("reading everything"):
        return findings(find_damage(store))


def findings(found: list[str]) -> Output:
    """Returns the output of a verification."""
    text = "\n".join(found) or "no problems found"
    return Output({"ok": not found, "findings": found}, text, FAILED if found else DONE)

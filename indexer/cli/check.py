"""The command that looks for damage."""

import click

from indexer.cli.app import App, Output, log, reporting
from indexer.cli.errors import DONE, FAILED
from indexer.errors import CatalogError
from indexer.maintenance.verify import verify as find_damage
from indexer.maintenance.verify import verify_uploads


@click.command()
@reporting
def verify(app: App) -> Output:
    """Check that the catalogue agrees with itself, its vectors, its index file and its uploads.

    Reads everything, also the photos that were uploaded over HTTP. Prints what is wrong, one
    line each, and exits with 1 if anything is.
    """
    try:
        catalog = app.catalog()
    except CatalogError as error:
        return findings([str(error)])
    with log.status("reading everything"):
        return findings(find_damage(catalog) + verify_uploads(catalog))


def findings(found: list[str]) -> Output:
    """What a check says, and its exit code."""
    text = "\n".join(found) or "nothing is wrong"
    return Output({"ok": not found, "findings": found}, text, FAILED if found else DONE)

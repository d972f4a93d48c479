"""The command `verify`."""

import click

from indexer.cli.app import App, Output, log, reporting
from indexer.cli.errors import DONE, FAILED
from indexer.errors import CatalogError
from indexer.maintenance.verify import verify as find_damage
from indexer.maintenance.verify import verify_uploads


@click.command()
@reporting
def verify(app: App) -> Output:
    """Verify the catalogue, its vectors, its index file and uploaded photos.

    Reads everything. Prints a line for each problem; the exit code is 1 if there is any.
    """
    try:
        catalog = app.catalog()
    except CatalogError as error:
        return findings([str(error)])
    with log.status("reading everything"):
        return findings(find_damage(catalog) + verify_uploads(catalog))


def findings(found: list[str]) -> Output:
    """Returns the output of a verification."""
    text = "\n".join(found) or "no problems found"
    return Output({"ok": not found, "findings": found}, text, FAILED if found else DONE)

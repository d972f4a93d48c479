"""The command `neighbours`."""

from dataclasses import asdict

import click

from indexer.cli.app import App, Output, reporting
from indexer.cli.progress import progress_bar
from indexer.errors import BadParameterError
from indexer.maintenance import neighbours as maintenance
from indexer.store.embedded.catalog import Catalog

MAX_K = 1000


@click.command()
@click.option(
    "-k",
    type=click.IntRange(1, MAX_K),
    help="Similar products to store for each product; the default is that of the present table,"
    f" or {maintenance.DEFAULT_K}.",
)
@click.option("--drop", is_flag=True, help="Delete the table.")
@reporting
def neighbours(app: App, k: int | None, drop: bool) -> Output:
    """Precompute the most similar products of every product.

    Searches by product then read the stored ranking instead of searching; the results are the
    same. The first run compares every product with every other; later runs apply the changes.
    Searches continue meanwhile. If interrupted, the previous table remains. Commands that change
    many products run this if there is a table.
    """
    catalog = app.catalog()
    if drop:
        if k is not None:
            raise BadParameterError("pass either -k or --drop")
        dropped = maintenance.drop(catalog)
        return Output({"dropped": dropped}, "dropped" if dropped else "there is no table")
    done = _bring_up_to_date(catalog, k)
    text = (
        f"{done.action}: the {done.k} most similar products of {done.products} products as of seq"
        f" {done.seq}, {done.bytes / 1e6:.1f} MB"
    )
    return Output(asdict(done), text)


def _bring_up_to_date(catalog: Catalog, k: int | None) -> maintenance.Outcome:
    with catalog.reader() as reader:
        products, _ = reader.counts()
    with progress_bar("comparing products", products) as advance:
        return maintenance.bring_up_to_date(catalog, k, advance)

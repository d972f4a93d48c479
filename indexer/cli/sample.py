"""The command that draws a catalogue to try things on."""

from pathlib import Path

import click

from indexer.cli.app import App, Output, reporting
from indexer.sample import draw_sample_catalog


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--products", default=320, show_default=True, type=click.IntRange(1), help="How many."
)
@click.option("--seed", default=1, show_default=True, help="Another seed draws other products.")
@reporting
def sample(app: App, folder: Path, products: int, seed: int) -> Output:  # noqa: ARG001
    """Draw a small clothing store into FOLDER, with a feed, products.csv."""
    feed = draw_sample_catalog(folder, products=products, seed=seed)
    return Output({"feed": str(feed), "products": products}, f"drew {products} products: {feed}")

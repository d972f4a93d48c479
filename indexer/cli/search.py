"""The command `search`."""

from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError
from rich.console import Group
from rich.table import Table

from indexer.cli.app import App, Output, reading
from indexer.cli.plot import plot_answer, require_png
from indexer.cli.products import price_of
from indexer.errors import BadParameterError, ImageError
from indexer.images import read_photo
from indexer.search import Answer, SearchParameters, search_by_photos
from indexer.validation import explained


@click.command()
@click.argument("image", type=click.Path(path_type=Path), required=False)
@click.option("--product", metavar="ID", help="Search by a product instead of a photo.")
@click.option("-k", "--limit", type=int, default=10, show_default=True, help="Products to show.")
@click.option("--offset", type=int, default=0, show_default=True, help="Products to skip.")
@click.option("--min-score", type=float, help="Minimum cosine of a match, -1 to 1.")
@click.option("--box", help="Part of the photo: x1,y1,x2,y2 as fractions, or auto.")
@click.option(
    "--filter",
    "conditions",
    multiple=True,
    help="Condition on attributes: color:red,blue price<=50 in_stock:true !brand:acme.",
)
@click.option("--facets", help="Attributes to count by value, separated by commas.")
@click.option("--boost", multiple=True, help="Condition that adds to the score: brand:acme^0.1.")
@click.option("--dedup", help="Remove near-duplicates: true, or a cosine threshold such as 0.99.")
@click.option("--diversify", help="Interleave by attribute: brand, or brand:2 for two per turn.")
@click.option("--group-by", help="Show only the best product of each value of an attribute.")
@click.option("--more-like", multiple=True, metavar="ID", help="Example product.")
@click.option("--less-like", multiple=True, metavar="ID", help="Counterexample product.")
@click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Draw query and results with scores to a PNG file.",
)
@reading
def search(
    app: App,
    /,
    image: Path | None,
    product: str | None,
    plot: Path | None,
    conditions: tuple[str, ...],
    **options: Any,
) -> Output:
    """Find the products that look most like the photo IMAGE or like a product."""
    parameters = _parameters({**options, "filter": conditions})
    if (image is None) == (product is None) and not (image is None and parameters.more_like):
        raise BadParameterError("pass either a photo, or a product with --product or --more-like")
    if plot:
        require_png(plot)
    searcher = app.searcher()
    if product is not None:
        answer = searcher.by_product(product, parameters, include_itself=True)
    else:
        photos = [] if image is None else [_read(app, image)]
        answer = search_by_photos(searcher, app.query_embedder(), photos, parameters)
    if plot:
        query = image or product or parameters.more_like[0]
        plot_answer(answer, searcher.store, query, plot, app.photos)
    return Output(answer.document(), Group(_table(answer), *_facets(answer)))


def _read(app: App, image: Path) -> bytes:
    try:
        return read_photo(image, app.settings.images.limits())
    except ImageError as error:
        error.args = (f"{image}: {error}",)
        raise


def _parameters(options: dict[str, Any]) -> SearchParameters:
    given = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in options.items()
        if value is not None
    }
    try:
        return SearchParameters.model_validate(given)
    except ValidationError as invalid:
        raise BadParameterError(explained(SearchParameters, invalid)) from None


def _table(answer: Answer) -> Table:
    table = Table("score", "product", "title", "price", box=None)
    for match in answer.matches:
        attributes = match.product.attributes
        title = str(attributes.get("title", ""))
        table.add_row(f"{match.score:.4f}", match.product.product_id, title, price_of(attributes))
    return table


def _facets(answer: Answer) -> list[str]:
    return [
        f"{name}: " + ", ".join(f"{count.value} ({count.count})" for count in counts)
        for name, counts in answer.facets.items()
    ]

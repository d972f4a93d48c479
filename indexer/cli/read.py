"""Commands that change nothing: search, status."""

from pathlib import Path

import click
from pydantic import ValidationError
from rich.table import Table

from indexer.catalog.catalog import FILE_NAME
from indexer.cli.app import App, Output, reporting
from indexer.cli.plot import plot_answer
from indexer.errors import BadParameterError
from indexer.images import read_photo
from indexer.search import Answer, SearchParameters


@click.command()
@click.argument("image", type=click.Path(path_type=Path), required=False)
@click.option("--product", metavar="ID", help="Search from a product instead of a photo.")
@click.option("-k", "--limit", type=int, default=10, show_default=True, help="Products to show.")
@click.option("--offset", type=int, default=0, show_default=True, help="Products to skip.")
@click.option("--min-score", type=float, help="Lowest cosine that counts as a match, -1 to 1.")
@click.option("--box", help="Part of the photo: x1,y1,x2,y2 as fractions, or auto.")
@click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Draw query and results with their scores into a PNG file.",
)
@reporting
def search(
    app: App,
    image: Path | None,
    product: str | None,
    limit: int,
    offset: int,
    min_score: float | None,
    box: str | None,
    plot: Path | None,
) -> Output:
    """Find the products that look most like the photo IMAGE, or like a product."""
    if (image is None) == (product is None):
        raise BadParameterError("name either a photo or a product with --product")
    parameters = _parameters(limit, offset, min_score, box)
    searcher = app.searcher()
    if image is not None:
        photo = read_photo(image, app.settings.images.limits())
        answer = searcher.by_photos([photo], parameters)
    else:
        answer = searcher.by_product(str(product), parameters, include_itself=True)
    if plot:
        plot_answer(answer, app.catalog(), image or str(product), plot, app.photos)
    return Output(answer.document(), _table(answer))


@click.command()
@reporting
def status(app: App) -> Output:
    """Show what the collection holds and what made its vectors."""
    spec = app.spec
    document = {
        "collection": app.collection,
        "folder": str(app.folder()),
        "products": 0,
        "images": 0,
        "seq": 0,
        "fingerprint": spec.fingerprint,
        "weights": spec.weights,
        "trained": spec.trained,
        "photo_search": True,
    }
    if (app.folder() / FILE_NAME).is_file():
        with app.catalog().snapshot() as snapshot:
            products, images = snapshot.counts()
            document |= {"products": products, "images": images, "seq": snapshot.seq}
            if snapshot.fingerprint not in (None, spec.fingerprint):
                document |= {
                    "fingerprint": snapshot.fingerprint,
                    "weights": snapshot.meta("weights"),
                    "photo_search": False,
                }
    table = Table.grid(padding=(0, 2))
    for key, value in document.items():
        table.add_row(key, str(value))
    return Output(document, table)


def _parameters(
    limit: int, offset: int, min_score: float | None, box: str | None
) -> SearchParameters:
    try:
        return SearchParameters(limit=limit, offset=offset, min_score=min_score, box=box)
    except ValidationError as invalid:
        error = invalid.errors()[0]
        raise BadParameterError(
            f"{error['loc'][0]}: received {error['input']!r}; {error['msg'].lower()}"
        ) from None


def _table(answer: Answer) -> Table:
    table = Table("score", "product", "title", "price", box=None)
    for match in answer.matches:
        attributes = match.product.attributes
        price = f"{attributes.get('price', '')} {attributes.get('currency', '')}"
        title = str(attributes.get("title", ""))
        table.add_row(f"{match.score:.4f}", match.product.product_id, title, price.strip())
    return table

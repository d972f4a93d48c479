"""The commands `show` and `list`."""

import json
from contextlib import ExitStack, closing
from itertools import islice
from typing import Any

import click
from rich.console import Group
from rich.table import Table

from indexer.cli.app import App, Output, reading
from indexer.search import find_product
from indexer.store import Attributes, Image, Product, Reader, parse

_PAGE = 50


@click.command()
@click.argument("product_id", metavar="PRODUCT_ID")
@reading
def show(app: App, product_id: str) -> Output:
    """Show a product: its attributes and photos."""
    with closing(app.store()) as store, store.reader() as reader:
        product = find_product(reader, product_id)
    table = Table.grid(padding=(0, 2))
    for name, value in [("product_id", product_id), *sorted(product.attributes.items())]:
        table.add_row(name, value if isinstance(value, str) else json.dumps(value))
    photos = [f"photo {image.image_id}: {image.location}" for image in product.images]
    document = {
        "collection": app.collection,
        "product_id": product_id,
        "attributes": product.attributes,
        "images": list(map(_image, product.images)),
    }
    return Output(document, Group(table, *photos))


@click.command("list")
@click.option(
    "--filter",
    "conditions",
    metavar="CONDITION",
    multiple=True,
    help="Condition on attributes: color:red,blue price<=50 in_stock:true !brand:acme.",
)
@click.option(
    "-k",
    "--limit",
    type=click.IntRange(1),
    help=f"Products to list.  [default: {_PAGE}; with --ids all]",
)
@click.option("--after", metavar="ID", default="", help="List the products that follow this id.")
@click.option("--ids", is_flag=True, help="Print only the ids, one per line, as `remove` reads.")
@reading
def list_(
    app: App, conditions: tuple[str, ...], limit: int | None, after: str, ids: bool
) -> Output:
    """List products, sorted by id.

    With --json, `next` is the value of --after for the next page, null on the last one.
    """
    parsed = [parse(text) for text in conditions]
    with ExitStack() as opened:
        store = opened.enter_context(closing(app.store()))
        found = opened.enter_context(store.search_reader(attributes=bool(parsed)))
        total = found.reader.counts()[0]
        limit = limit or (total if ids else _PAGE)
        if parsed:
            selection = found.select(parsed)
            total, page = selection.total, selection.page(after, limit + 1)
        else:
            page = list(islice(found.reader.product_ids(after), limit + 1))
        shown, more = page[:limit], len(page) > limit
        products = [] if ids else _products(found.reader, shown)
    document: dict[str, Any] = {
        "collection": app.collection,
        "total": total,
        "next": shown[-1] if more else None,
    }
    if ids:
        document["product_ids"] = shown
    else:
        document["products"] = [
            {"product_id": each.product_id, "attributes": each.attributes} for each in products
        ]
    note = f"{len(shown):,} of {total:,} products; --after {shown[-1]!r} lists more" if more else ""
    return Output(
        document, "\n".join(shown) if ids else _table(products), notes=[note] if note else []
    )


def _products(reader: Reader, product_ids: list[str]) -> list[Product]:
    found = reader.products(product_ids)
    return [found[product_id] for product_id in product_ids]


def _table(products: list[Product]) -> Table:
    table = Table("product", "title", "price", "in stock", "photos", box=None)
    for each in products:
        attributes = each.attributes
        cells = (str(attributes.get("title", "")), price_of(attributes), _stock(attributes))
        table.add_row(each.product_id, *cells, str(len(each.images)))
    return table


def price_of(attributes: Attributes) -> str:
    """Returns the price of a product with its currency; empty without one."""
    return f"{attributes.get('price', '')} {attributes.get('currency', '')}".strip()


def _stock(attributes: Attributes) -> str:
    available = attributes.get("in_stock")
    return "" if available is None else "yes" if available else "no"


def _image(image: Image) -> dict[str, Any]:
    return {
        "image_id": image.image_id,
        "image": image.uri,
        "location": image.location,
        "content_hash": image.content_hash,
    }

"""Products -> a CSV with Merchant columns, which `read_feed` reads back."""

import csv
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path

from indexer.feeds.delimited import typed_header
from indexer.feeds.locations import join_links, link_of
from indexer.feeds.merchant import MAIN_IMAGE, MORE_IMAGES
from indexer.feeds.prices import CURRENCY
from indexer.feeds.rows import AttributeValue, FeedRow

_COLUMNS = [
    "id",
    "title",
    MAIN_IMAGE,
    MORE_IMAGES,
    "product_type",
    "category",
    "price",
    "sale_price",
    "currency",
    "availability",
    "in_stock",
    "brand",
    "color",
]


def write_products_csv(path: Path, rows: Callable[[], Iterable[FeedRow]]) -> None:
    """Write the products that `rows()` gives; it is called twice, to learn the labels first.

    Rows as `read_feed` yields them come back with the same ids, attributes
    (values and types) and image locations. What does not survive: `line`,
    `source`, `ImageRef.uri` (the location stands in for it), and a comma before
    `http://` inside the URL of an additional image, which becomes %2C.
    """
    labels = {header for row in rows() for header in _label_cells(row)}
    columns = _COLUMNS + sorted(labels - set(_COLUMNS))
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns)
        writer.writeheader()
        for row in rows():
            writer.writerow(
                _label_cells(row)
                | _price_cells(row.attributes)
                | {
                    "id": row.product_id,
                    MAIN_IMAGE: link_of(row.images[0].location),
                    MORE_IMAGES: join_links(image.location for image in row.images[1:]),
                }
            )


def _label_cells(row: FeedRow) -> dict[str, str]:
    prices = {"price", "regular_price", "currency"}
    return {
        _header(name, value): _text(value)
        for name, value in row.attributes.items()
        if name not in prices
    }


def _header(name: str, value: AttributeValue) -> str:
    if name in _COLUMNS or isinstance(value, str):
        return name
    return typed_header(name, "boolean" if isinstance(value, bool) else "number")


def _text(value: AttributeValue) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else repr(value)


def _price_cells(attributes: dict[str, AttributeValue]) -> dict[str, str]:
    """Merchant's price is the regular one, ours what the shopper pays: see `prices`."""
    price = attributes.get("price")
    regular = attributes.get("regular_price")
    currency = str(attributes.get("currency", ""))
    if price is None or not CURRENCY.fullmatch(currency):
        unit, cells = "", {"currency": currency}
    else:
        unit, cells = f" {currency}", {}
    amounts = {"price": price} if regular is None else {"price": regular, "sale_price": price}
    return cells | {
        name: f"{_plain(amount)}{unit}" for name, amount in amounts.items() if amount is not None
    }


def _plain(amount: AttributeValue) -> str:
    """The amount in digits; with three behind the point it gets a fourth, or it were ambiguous."""
    digits = f"{Decimal(_text(amount)):f}"
    return f"{digits}0" if len(digits.partition(".")[2]) == 3 else digits

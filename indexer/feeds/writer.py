"""Writes products as a CSV with Merchant columns, which `read_feed` reads back."""

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
    """Writes products as CSV.

    Rows from `read_feed` read back with the same ids, attributes (values and types) and photo
    locations. Not kept: `line`, `source`, `ImageRef.uri` (replaced by the location), and a comma
    before `http://` in the URL of an additional photo, which becomes %2C.

    Args:
        path: of the file.
        rows: returns the products; called twice, first to collect the labels.
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
    """Returns the price columns of Merchant, whose `price` is the regular price; see `prices`."""
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
    """Formats an amount; three decimals get a fourth, because `parse_price` rejects three."""
    digits = f"{Decimal(_text(amount)):f}"
    return f"{digits}0" if len(digits.partition(".")[2]) == 3 else digits

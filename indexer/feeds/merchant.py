"""Maps the columns of the Google Merchant product data specification to one product.

Column names may contain spaces or underscores, be in any case, and have the prefix `g:`:

- `id` (or `product_id`) is the product id; `image_link` (or `image`) and
  `additional_image_link` are its photos, without duplicates.
- `price`, `sale_price`, `regular_price`, `currency`: see `indexer.feeds.prices`.
- `product_type` is kept as text, and its last level becomes the `category` ("Shoes > Boots" ->
  "Boots") unless there is a `category` column.
- `availability` is normalised to in_stock, out_of_stock, preorder or backorder and sets
  `in_stock`, unless there is an `in_stock` column. Any other text is kept, with a warning.
- A sale price above the price gives a warning, and so does an id such as 1.23457E+12.
- Every other column is a label of the same name. Nested values become JSON text.

An empty cell gives no attribute. If a column occurs twice, the first cell that is not empty
counts; photos of all occurrences are used.
"""

import datetime
import functools
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from indexer.feeds import prices
from indexer.feeds.limits import require_few, require_few_photos
from indexer.feeds.locations import image_refs, split_links
from indexer.feeds.rows import AttributeValue, ImageRef, RowError
from indexer.feeds.values import boolean, clean, product_id

MAIN_IMAGE = "image_link"
MORE_IMAGES = "additional_image_link"

_ALIASES = {"product_id": "id", "image": MAIN_IMAGE}
_TEXTS = {
    "title",
    "description",
    "link",
    "brand",
    "color",
    "item_group_id",
    "category",
    "product_type",
}
_ROUNDED = re.compile(r"[0-9](?:[.,][0-9]+)?E\+[0-9]+", re.IGNORECASE)  # 1.23457E+12
_STEP = re.compile(r"\s*(?:>|&gt;)\s*")
_AVAILABILITY = {
    "instock": ("in_stock", True),
    "limitedavailability": ("in_stock", True),
    "onlineonly": ("in_stock", True),
    "outofstock": ("out_of_stock", False),
    "soldout": ("out_of_stock", False),
    "discontinued": ("out_of_stock", False),
    "preorder": ("preorder", False),
    "backorder": ("backorder", False),
}


@dataclass
class Columns:
    """The non-empty cells of one row by canonical column name, and the links of its photos."""

    values: dict[str, object]
    links: list[str]


@functools.lru_cache(maxsize=4096)
def column_name(header: str) -> str:
    """Returns the canonical name of a column: `g:Image Link` -> `image_link`. May be empty."""
    name = bare(header)
    return _ALIASES.get(name, name)


def bare(header: str) -> str:
    """Returns the name of a column without prefix, as `column_name`, but of an alias its own."""
    name = re.sub(r"^\s*[gc]\s*:", "", header.lower())
    return re.sub(r"\W+", "_", name).strip("_")


@dataclass(frozen=True)
class Parsed:
    """The attributes of a product, and warnings about its columns."""

    attributes: dict[str, AttributeValue]
    warnings: tuple[str, ...]


def ids(cells: Iterable[tuple[str, object]]) -> list[str]:
    """Returns the distinct product ids of a row: several if the id column is repeated.

    If a row has the column `id`, which may be empty, `product_id` does not count: shops may use it
    for the product of a variant.

    Raises:
        RowError: the id is missing or invalid.
    """
    cells = list(cells)
    name = id_name(header for header, _ in cells)
    found = [
        product_id(cell) for header, cell in cells if bare(header) == name and not _is_empty(cell)
    ]
    return list(dict.fromkeys(found)) or [product_id(None)]


def id_warnings(written: str) -> tuple[str, ...]:
    """Returns a warning if a product id looks like a number that a spreadsheet has rounded."""
    if not _ROUNDED.fullmatch(written):
        return ()
    return (
        f"the id {written!r} looks like a number that a spreadsheet has rounded; format the column"
        " as text and export it again",
    )


def id_name(headers: Iterable[str]) -> str:
    """Returns the name of the column that has the id, `id` or `product_id`; empty if none has."""
    names = {bare(header) for header in headers}
    return next((name for name in ("id", "product_id") if name in names), "")


def collect(cells: Iterable[tuple[str, object]]) -> Columns:
    """Collects the cells of a row except its id; the first non-empty cell of a name counts.

    Raises:
        RowError: the main photo is missing, or a link is invalid.
    """
    values: dict[str, object] = {}
    main: list[str] = []
    more: list[str] = []
    for header, value in cells:
        name = column_name(header)
        if name == MAIN_IMAGE:
            main += _links(name, value)
        elif name == MORE_IMAGES:
            more += _links(name, value)
        elif name and name != "id" and name not in values and not _is_empty(value):
            values[name] = value
    if not main:
        raise RowError(f"{MAIN_IMAGE} is missing")
    return Columns(values, main + more)


def _is_empty(value: object) -> bool:
    if isinstance(value, str):
        return not value.strip()
    return value is None or (isinstance(value, float) and math.isnan(value))


def _links(name: str, value: object) -> list[str]:
    if isinstance(value, str):
        texts: list[object] = list(split_links(value)) if name == MORE_IMAGES else [value]
    else:
        texts = value if isinstance(value, list) else [value]
    links = []
    for text in texts:
        if _is_empty(text):
            continue
        if not isinstance(text, str):
            raise RowError(f"{name} must be a path or URL; received {text!r:.80}")
        links.append(str(clean(name, text)))
    return links


def images(columns: Columns, base: Path | str) -> tuple[ImageRef, ...]:
    """Returns the photos of the product, the main one first.

    Args:
        columns: of the row.
        base: folder or URL of the feed, which relative links start at.

    Raises:
        RowError: there are too many photos, or a link is invalid.
    """
    require_few_photos(columns.links)
    return image_refs(columns.links, base)


def attributes(columns: Columns, now: datetime.datetime) -> Parsed:
    """Returns the attributes of the product; `now` decides whether a dated sale applies.

    Raises:
        RowError: a value is invalid, or a limit on attributes is exceeded.
    """
    cleaned = {}
    for name, value in columns.values.items():
        attribute = clean(name, value)
        if attribute is not None:
            cleaned[name] = str(attribute) if name in _TEXTS else attribute
    priced = {name: cleaned.pop(name) for name in prices.COLUMNS if name in cleaned}
    stock, stock_warnings = _stock(cleaned)
    paid, price_warnings = prices.price_attributes(priced, now)
    result = _category(cleaned) | stock | cleaned | paid
    require_few(result)
    return Parsed(result, (*stock_warnings, *price_warnings))


def _category(cleaned: dict[str, AttributeValue]) -> dict[str, AttributeValue]:
    steps = [step for step in _STEP.split(str(cleaned.get("product_type", ""))) if step]
    return {"category": steps[-1]} if steps else {}


def _stock(cleaned: dict[str, AttributeValue]) -> tuple[dict[str, AttributeValue], list[str]]:
    """Removes `availability` and `in_stock` from `cleaned`; returns them, and warnings."""
    stock: dict[str, AttributeValue] = {}
    warnings = []
    if "availability" in cleaned:
        written = str(cleaned.pop("availability"))
        text = written.rpartition("/")[2].lower()  # schema.org/InStock
        known = _AVAILABILITY.get(re.sub(r"[\W_]+", "", text))
        if known:
            stock["availability"], stock["in_stock"] = known
        else:
            warnings.append(
                f"unknown availability {written!r:.80}; expected in_stock, out_of_stock, preorder"
                " or backorder: in_stock is not set"
            )
            if words := re.sub(r"\W+", "_", text).strip("_"):
                stock["availability"] = words
    if "in_stock" in cleaned:
        stock["in_stock"] = boolean("in_stock", cleaned.pop("in_stock"))
    return stock, warnings

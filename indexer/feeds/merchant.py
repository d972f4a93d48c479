"""Columns of the Google Merchant product data specification -> one product.

Header names may have spaces or underscores, any case and the prefix `g:`. What
becomes of them:

- `id` (or `product_id`) is the product id; `image_link` (or `image`) and
  `additional_image_link` are its photos, each once.
- `price`, `sale_price`, `regular_price`, `currency`: see `indexer.feeds.prices`.
- `product_type` keeps its text, and its last step is the `category` ("Shoes >
  Boots" -> "Boots") unless there is a `category` column.
- `availability` becomes one of in_stock, out_of_stock, preorder, backorder (any
  other text keeps its words) and gives `in_stock`, unless there is such a column.
- An availability that is none of these, and a sale that cannot be one, give a warning.
- Every other column is a label of the same name. Nested values become JSON text.

A cell that is empty gives no attribute. Of a column that comes twice, the first
cell with something in it counts, except for photos, where all do.
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
    """The cells of one row under their canonical names; empty ones are left out."""

    values: dict[str, object]
    links: list[str]


@functools.lru_cache(maxsize=4096)
def column_name(header: str) -> str:
    """The canonical name of a column: `g:Image Link` -> `image_link`. May be empty."""
    name = _bare(header)
    return _ALIASES.get(name, name)


def _bare(header: str) -> str:
    name = re.sub(r"^\s*[gc]\s*:", "", header.lower())
    return re.sub(r"\W+", "_", name).strip("_")


@dataclass(frozen=True)
class Understood:
    """What the columns of a row say of its product."""

    attributes: dict[str, AttributeValue]
    warnings: tuple[str, ...]


def ids(cells: Iterable[tuple[str, object]]) -> list[str]:
    """The product ids that a row has: more than one if its column comes again with another.

    Of `id` and `product_id`, which shops may use for a variant and its product, the first counts.

    Raises:
        RowError: there is none, or it is none.
    """
    first, found = "", []
    for header, value in cells:
        if column_name(header) != "id" or _is_empty(value):
            continue
        own = _bare(header)
        first = first or own
        if own == first:
            found.append(product_id(value))
    return list(dict.fromkeys(found)) or [product_id(None)]


def collect(cells: Iterable[tuple[str, object]]) -> Columns:
    """Sort the cells of a row but for its id; the first non-empty one of a name counts."""
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


def images(columns: Columns, base: Path) -> tuple[ImageRef, ...]:
    """The photos of the product, main one first; `base` is the folder of the feed."""
    require_few_photos(columns.links)
    return image_refs(columns.links, base)


def attributes(columns: Columns, now: datetime.datetime) -> Understood:
    """The attributes of the product.

    Raises:
        RowError: a value cannot be read, or they are too many or too long.
    """
    cleaned = {}
    for name, value in columns.values.items():
        attribute = clean(name, value)
        if attribute is not None:
            cleaned[name] = str(attribute) if name in _TEXTS else attribute
    priced = {name: cleaned.pop(name) for name in prices.COLUMNS if name in cleaned}
    stock, of_stock = _stock(cleaned)
    paid, of_prices = prices.price_attributes(priced, now)
    whole = _category(cleaned) | stock | cleaned | paid
    require_few(whole)
    return Understood(whole, (*of_stock, *of_prices))


def _category(cleaned: dict[str, AttributeValue]) -> dict[str, AttributeValue]:
    steps = [step for step in _STEP.split(str(cleaned.get("product_type", ""))) if step]
    return {"category": steps[-1]} if steps else {}


def _stock(cleaned: dict[str, AttributeValue]) -> tuple[dict[str, AttributeValue], list[str]]:
    """`availability` and `in_stock`, taken out of `cleaned`, and warnings."""
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
                f"availability {written!r:.80} is none of in_stock, out_of_stock, preorder,"
                " backorder: it does not say whether the product is in stock"
            )
            if words := re.sub(r"\W+", "_", text).strip("_"):
                stock["availability"] = words
    if "in_stock" in cleaned:
        stock["in_stock"] = boolean("in_stock", cleaned.pop("in_stock"))
    return stock, warnings

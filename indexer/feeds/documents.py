"""Attributes of a single product sent over HTTP, read by the same rules as a feed."""

import datetime
from collections.abc import Mapping

from indexer.errors import BadParameterError
from indexer.feeds import limits, merchant, values
from indexer.feeds.rows import AttributeValue, RowError

_NOT_ATTRIBUTES = {"id", merchant.MAIN_IMAGE, merchant.MORE_IMAGES}


def read_attributes(columns: Mapping[str, object]) -> dict[str, AttributeValue]:
    """Returns the attributes that a feed with these columns would give; skips empty values.

    Raises:
        BadParameterError: a value is invalid, a column is not an attribute, or a limit is exceeded.
    """
    if odd := sorted(_NOT_ATTRIBUTES.intersection(map(merchant.column_name, columns))):
        place = (
            "the id is in the path or in product_id" if odd[0] == "id" else "send photos in images"
        )
        raise BadParameterError(f"attributes: {odd[0]} is not an attribute; {place}")
    try:
        cells = merchant.collect([*columns.items(), (merchant.MAIN_IMAGE, "-")])
        return merchant.attributes(cells, datetime.datetime.now(datetime.UTC)).attributes
    except RowError as error:
        raise BadParameterError(f"attributes: {error}") from None


def read_changes(columns: Mapping[str, object]) -> dict[str, AttributeValue | None]:
    """Returns attributes as `read_attributes` does, with None for attributes to remove.

    Raises:
        BadParameterError: see `read_attributes`.
    """
    changed = read_attributes(columns)
    removed = [merchant.column_name(name) for name, value in columns.items() if value is None]
    return {**dict.fromkeys(removed), **changed}


def require_few_attributes(attributes: Mapping[str, AttributeValue]) -> None:
    """Checks the limits on the attributes of one product.

    Raises:
        BadParameterError: there are too many attributes, or one is too long.
    """
    try:
        limits.require_few(attributes)
    except RowError as error:
        raise BadParameterError(f"attributes: {error}") from None


def require_product_id(text: str) -> None:
    """Checks a product id.

    Raises:
        BadParameterError: the id is not valid in a feed, or has leading or trailing white space.
    """
    try:
        clean = values.product_id(text)
    except RowError as error:
        raise BadParameterError(f"product_id: {error}") from None
    if clean != text:
        raise BadParameterError(
            f"product_id: leading or trailing white space in {text!r}; send {clean!r}"
        )

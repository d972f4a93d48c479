"""One product that does not come from a file: the same columns, the same cleaning."""

import datetime
from collections.abc import Mapping

from indexer.errors import BadParameterError
from indexer.feeds import limits, merchant, values
from indexer.feeds.rows import AttributeValue, RowError

_NOT_ATTRIBUTES = {"id", merchant.MAIN_IMAGE, merchant.MORE_IMAGES}


def read_attributes(columns: Mapping[str, object]) -> dict[str, AttributeValue]:
    """The attributes that these columns of a feed would give; an empty one gives none.

    Raises:
        BadParameterError: a value cannot be read, a column is no attribute, or there is too much.
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
    """As `read_attributes`; None stays None, and stands for an attribute to remove.

    Raises:
        BadParameterError: as `read_attributes`.
    """
    changed = read_attributes(columns)
    removed = [merchant.column_name(name) for name, value in columns.items() if value is None]
    return {**dict.fromkeys(removed), **changed}


def require_few_attributes(attributes: Mapping[str, AttributeValue]) -> None:
    """
    Raises:
        BadParameterError: no product of a feed could have so many attributes, or so long ones.
    """
    try:
        limits.require_few(attributes)
    except RowError as error:
        raise BadParameterError(f"attributes: {error}") from None


def require_product_id(text: str) -> None:
    """
    Raises:
        BadParameterError: no product of a feed could have this id.
    """
    try:
        clean = values.product_id(text)
    except RowError as error:
        raise BadParameterError(f"product_id: {error}") from None
    if clean != text:
        raise BadParameterError(
            f"product_id: leading or trailing white space in {text!r}; send {clean!r}"
        )

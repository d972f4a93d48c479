"""Attributes of a single product sent over HTTP, read by the same rules as a feed."""

from collections.abc import Mapping

from indexer.errors import BadParameterError
from indexer.feeds import merchant, patches, values
from indexer.feeds.merchant import Parsed
from indexer.feeds.rows import AttributeValue, RowError

_NOT_ATTRIBUTES = {"id", merchant.MAIN_IMAGE, merchant.MORE_IMAGES}


def read_attributes(columns: Mapping[str, object]) -> Parsed:
    """Returns the attributes that a feed with these columns would give; skips empty values.

    Raises:
        BadParameterError: a value is invalid, a column is not an attribute, or a limit is exceeded.
    """
    try:
        return patches.parsed(_cleaned(columns))
    except RowError as error:
        raise BadParameterError(f"attributes: {error}") from None


def read_changes(columns: Mapping[str, object]) -> dict[str, AttributeValue | None]:
    """Returns columns of a feed by canonical name, with None for those to remove.

    Raises:
        BadParameterError: see `read_attributes`.
    """
    try:
        changes = _cleaned(columns)
        patches.parsed(changes)
    except RowError as error:
        raise BadParameterError(f"attributes: {error}") from None
    return changes


def change_attributes(
    attributes: Mapping[str, AttributeValue], changes: Mapping[str, AttributeValue | None]
) -> Parsed:
    """Returns the attributes of a product after changes returned by `read_changes`.

    Raises:
        BadParameterError: the changes contradict what the product has, or it then has too much.
    """
    try:
        return patches.patched(attributes, changes)
    except RowError as error:
        raise BadParameterError(f"attributes: {error}") from None


def _cleaned(columns: Mapping[str, object]) -> dict[str, AttributeValue | None]:
    cleaned: dict[str, AttributeValue | None] = {}
    sent_as: dict[str, str] = {}
    for sent, value in columns.items():
        name = merchant.column_name(sent)
        if not name:
            raise RowError(f"the name {sent!r:.80} has no letter, digit or underscore")
        if name in _NOT_ATTRIBUTES:
            place = (
                "the id is in the path or in product_id"
                if name == "id"
                else "send photos in images"
            )
            raise RowError(f"{name} is not an attribute; {place}")
        if name in cleaned:
            raise RowError(f"{sent_as[name]!r:.80} and {sent!r:.80} are both {name}; send one")
        cleaned[name], sent_as[name] = values.clean(name, value), sent
    return cleaned


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

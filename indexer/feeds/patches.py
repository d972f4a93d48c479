"""Changes columns of a stored product, of which only the attributes are stored.

The columns are reconstructed from the attributes, changed, and parsed like a row of a feed.
Values that parsing drops cannot be reconstructed: a sale price that was not in effect, or a
`category` equal to the last level of `product_type`.
"""

import datetime
from collections.abc import Mapping

from indexer.feeds import merchant
from indexer.feeds.merchant import Columns, Parsed
from indexer.feeds.prices import parse_price
from indexer.feeds.rows import AttributeValue, RowError

_AMOUNTS = {"price", "sale_price", "regular_price"}
_DERIVED = (("product_type", "category"), ("availability", "in_stock"))

Changes = Mapping[str, AttributeValue | None]


def parsed(columns: Changes) -> Parsed:
    """Returns the attributes of a product with these columns.

    Raises:
        RowError: see `merchant.attributes`.
    """
    now = datetime.datetime.now(datetime.UTC)
    return merchant.attributes(Columns(dict(columns), []), now)


def patched(attributes: Mapping[str, AttributeValue], changes: Changes) -> Parsed:
    """Returns the attributes of a product after columns were changed; None removes a column.

    Raises:
        RowError: see `merchant.attributes`.
    """
    columns = _restored(attributes, changes)
    changed = _AMOUNTS & changes.keys()
    if changed and "currency" not in changes:
        if left := (_AMOUNTS & columns.keys()) - changed:
            _require_same_currency(min(left), columns, changes)
        elif all(changes[name] is None for name in changed):
            columns.pop("currency", None)  # that of the removed amounts
    return parsed({**columns, **changes})


def _restored(
    attributes: Mapping[str, AttributeValue], changes: Changes
) -> dict[str, AttributeValue]:
    columns = dict(attributes)
    # A change with `regular_price` uses `price` for what is paid, like the attributes.
    if {"price", "regular_price"} <= columns.keys() and "regular_price" not in changes:
        columns["sale_price"] = columns["price"]
        columns["price"] = columns.pop("regular_price")
    for source, derived in _DERIVED:
        if source in columns:
            alone = parsed({source: columns[source]}).attributes
            if derived in columns and alone.get(derived) == columns[derived]:
                del columns[derived]
    return columns


def _require_same_currency(
    left: str, columns: Mapping[str, AttributeValue], changes: Changes
) -> None:
    """Checks that the unchanged amount, which has the stored currency, and the changes agree.

    Raises:
        RowError: the currencies differ.
    """
    currency = columns.get("currency")
    for name in sorted(_AMOUNTS & changes.keys()):
        value = changes[name]
        changed = None if value is None else parse_price(name, value)[1]
        if currency and changed and changed != currency:
            raise RowError(
                f"{name} is in {changed}, but {left} of the product is in {currency}; send both"
            )

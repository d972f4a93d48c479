"""Lists the products of a collection, in the order of their ids."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from indexer.store import Condition, Product, Store


@dataclass(frozen=True)
class Listing:
    """A page of products.

    Attributes:
        seq: state of the collection.
        total: number of products that match the conditions.
        products: of the page, by product id in code point order.
        more: whether there are products after the page.
    """

    seq: int
    total: int
    products: Sequence[Product]
    more: bool


def list_products(
    store: Store, limit: int, after: str = "", conditions: Sequence[Condition] = ()
) -> Listing:
    """Returns the first `limit` products with ids above `after` that match all conditions.

    Raises:
        BadFilterError: a condition is on an attribute that no product has.
    """
    with store.search_reader(attributes=bool(conditions)) as found:
        if conditions:
            selection = found.select(conditions)
            total, ids = selection.total, list(selection.page(after, limit + 1))
        else:
            total, _ = found.reader.counts()
            ids = list(islice(found.reader.product_ids(after), limit + 1))
        products = found.reader.products(ids[:limit])
        page = [products[product_id] for product_id in ids[:limit]]
        return Listing(found.reader.seq, total, page, more=len(ids) > limit)

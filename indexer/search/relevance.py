"""From a query, and products that are more or less like what is wanted, to vectors.

After J. J. Rocchio, "Relevance feedback in information retrieval" (1971): towards the mean of what
is wanted, away from the mean of what is not. The weight is that of Qdrant's `average_vector`,
whose 2 * positive - negative has the same direction.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from indexer.arrays import Scores, Vector, Vectors, normalised
from indexer.errors import BadParameterError, UnknownProductError
from indexer.store import Product, Reader

_AWAY = 0.5


def find_products(reader: Reader, product_ids: Sequence[str]) -> list[Product]:
    """
    Raises:
        UnknownProductError: one of them does not exist.
    """
    found = reader.products(product_ids)
    for product_id in product_ids:
        if product_id not in found:
            raise UnknownProductError(f"there is no product {product_id!r} in this collection")
    return [found[product_id] for product_id in dict.fromkeys(product_ids)]


def vectors_of(reader: Reader, product: Product) -> Vectors:
    """The vectors of a product's photos."""
    return reader.vectors([image.image_id for image in product.images])[1]


def query_vectors(
    reader: Reader, queries: Vectors | None, more: Sequence[str], less: Sequence[str]
) -> Vectors:
    """The vectors to search with: the query's own, or one of all that is wanted and unwanted.

    A photo of the query counts as much as a product of `more`, whatever its number of photos.

    Raises:
        UnknownProductError: one of the products does not exist.
        BadParameterError: nothing is wanted, or as much is unwanted.
    """
    if queries is not None and not more and not less:
        return queries
    wanted = _means(reader, more) + ([] if queries is None else list(queries))
    if not wanted:
        raise BadParameterError("less_like needs a photo, a product or more_like beside it")
    direction: Scores = np.stack(wanted).astype(np.float64).mean(axis=0, keepdims=True)
    if less:
        unwanted = np.stack(_means(reader, less))
        direction = direction - _AWAY * unwanted.mean(axis=0, keepdims=True)
    return _unit(direction)


def _means(reader: Reader, product_ids: Sequence[str]) -> list[Vector]:
    products: Iterable[Product] = find_products(reader, product_ids) if product_ids else ()
    return [_unit(vectors_of(reader, p).mean(axis=0, keepdims=True))[0] for p in products]


def _unit(vectors: NDArray[np.floating]) -> Vectors:
    try:
        return normalised(vectors)
    except ValueError:
        raise BadParameterError(
            "more_like, less_like: the products cancel each other out; send others"
        ) from None

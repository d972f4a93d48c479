"""Relevance feedback: query vectors from photos, examples and counterexamples.

J. J. Rocchio, "Relevance feedback in information retrieval" (1971): the query moves towards the
mean of the examples and away from the mean of the counterexamples. The weight is that of Qdrant's
`average_vector`: 2 * positive - negative has the same direction.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from indexer.arrays import Scores, Vector, Vectors, normalised
from indexer.errors import BadParameterError, UnknownProductError
from indexer.store import Product, Reader

_COUNTEREXAMPLE_WEIGHT = 0.5


def find_products(reader: Reader, product_ids: Sequence[str]) -> list[Product]:
    """Returns products by id, in this order, each once.

    Raises:
        UnknownProductError: one of them does not exist.
    """
    found = reader.products(product_ids)
    for product_id in product_ids:
        if product_id not in found:
            raise UnknownProductError(f"there is no product {product_id!r} in this collection")
    return [found[product_id] for product_id in dict.fromkeys(product_ids)]


def vectors_of(reader: Reader, product: Product) -> Vectors:
    """Returns the vectors (n, dimension) of a product's photos."""
    return reader.vectors([image.image_id for image in product.images])[1]


def query_vectors(
    reader: Reader, queries: Vectors | None, more: Sequence[str], less: Sequence[str]
) -> Vectors:
    """Returns the vectors (n, dimension) to search with.

    Without examples and counterexamples these are `queries`; otherwise one vector that combines
    all. A photo of the query counts as much as a product, whatever its number of photos.

    Args:
        reader: of the collection.
        queries: (n, dimension), of the query; None if it has only examples.
        more: product ids of the examples.
        less: product ids of the counterexamples.

    Raises:
        UnknownProductError: one of the products does not exist.
        BadParameterError: there is no query and no example, or they cancel each other out.
    """
    if queries is not None and not more and not less:
        return queries
    positive = _means(reader, more) + ([] if queries is None else list(queries))
    if not positive:
        raise BadParameterError("less_like needs a photo, a product or more_like beside it")
    direction: Scores = np.stack(positive).astype(np.float64).mean(axis=0, keepdims=True)
    if less:
        negative = np.stack(_means(reader, less))
        direction = direction - _COUNTEREXAMPLE_WEIGHT * negative.mean(axis=0, keepdims=True)
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

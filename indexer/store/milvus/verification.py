"""Verifies that the rows of a collection in Milvus agree with its state."""

from collections.abc import Iterator

import numpy as np

from indexer.arrays import batched
from indexer.errors import DamagedError
from indexer.store.base import Reader, Records

# Rounding to float32 changes a length by about 1e-7.
_LENGTH_TOLERANCE = 1e-5
_SHOWN = 20  # ids of images in one line
_BATCH = 500


def verify(records: Records) -> list[str]:
    """Reads everything; returns a line for each problem.

    Raises:
        CatalogError: the collection cannot be read at the moment.
    """
    found: list[str] = []
    with records.reader() as reader:
        for check in (_products, _vectors):
            try:
                found += check(reader)
            except DamagedError as error:
                found.append(str(error))
    return found


def _products(reader: Reader) -> Iterator[str]:
    """Reads all products; reading finds rows that are missing or damaged."""
    found = 0
    for batch in batched(reader.product_ids(), _BATCH):
        products = reader.products(batch)
        found += sum(len(product.images) for product in products.values())
        for product_id in set(batch) - products.keys():
            yield f"rows of product {product_id!r} are missing"
    if found != reader.counts()[1]:
        yield f"the products have {found} images, the state says {reader.counts()[1]}"


def _vectors(reader: Reader) -> Iterator[str]:
    for ids, vectors in reader.all_vectors():
        lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
        bad = ids[~(np.abs(lengths - 1) <= _LENGTH_TOLERANCE)].tolist()  # negated to include NaN
        if bad:
            more = f" and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
            yield f"vectors whose length is not 1: images {', '.join(map(str, bad[:_SHOWN]))}{more}"

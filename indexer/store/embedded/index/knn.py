"""Inner products, and exact nearest neighbours of many vectors among many, by FAISS."""

import faiss
import numpy as np
from numpy.typing import NDArray

from indexer.arrays import Ids, Vectors


def inner_products(queries: Vectors, vectors: Vectors) -> NDArray[np.float32]:
    """Returns the inner products (m, n) of few queries (m, dimension) and vectors (n, dimension).

    Computed in this thread: the threads of a matrix product may wait for each other for
    milliseconds while other work uses the cores.
    """
    products: NDArray[np.float32] = np.einsum("md,nd->mn", queries, vectors)
    return products


def nearest_rows(queries: Vectors, vectors: Vectors, k: int) -> tuple[Ids, NDArray[np.float32]]:
    """Returns the k rows of highest inner product for each query, and the products, descending.

    Args:
        queries: (m, dimension).
        vectors: (n, dimension), with n >= k.
        k: number of rows.

    Returns:
        Rows (m, k) and inner products (m, k), both subject to the rounding of float32.
    """
    products, rows = faiss.knn(queries, vectors, k, metric=faiss.METRIC_INNER_PRODUCT)
    return rows, products

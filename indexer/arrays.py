"""Array types that the rooms share, and cutting a stream into batches."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")

Vector = NDArray[np.float32]  # (dimension,), length 1
Vectors = NDArray[np.float32]  # (n, dimension), rows of length 1
Ids = NDArray[np.int64]  # (n,)
Scores = NDArray[np.float64]  # (n,)


def normalised(vectors: NDArray[np.floating]) -> Vectors:
    """Rows scaled to length 1, in a new float32 array; computed in float64.

    Raises:
        ValueError: a row is zero or not finite, and so has no direction.
    """
    wide = vectors.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    if not (np.isfinite(lengths).all() and (lengths > 0).all()):
        raise ValueError("a vector of length zero or with values that are not finite")
    scaled: Vectors = (wide / lengths).astype(np.float32)
    return scaled


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of `size` items, the last one shorter. (itertools.batched is of Python 3.12.)"""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch

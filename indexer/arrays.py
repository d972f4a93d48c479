"""Array types shared by the packages, normalisation, and batching."""

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
    """Returns the rows (n, d) scaled to length 1, as a new float32 array; computed in float64.

    Raises:
        ValueError: a row has length zero or a value that is not finite.
    """
    wide = vectors.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    if not (np.isfinite(lengths).all() and (lengths > 0).all()):
        raise ValueError("a vector has length zero or values that are not finite")
    scaled: Vectors = (wide / lengths).astype(np.float32)
    return scaled


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yields lists of `size` items, the last one shorter; Python 3.12 has itertools.batched."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch

"""The protocol of a vector index."""

from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from indexer.arrays import Ids, Scores, Vectors

# mask[image_id]: whether the image is allowed; ids past its end are not.
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Hits:
    """Images by descending score, then ascending id. Both arrays are (n,)."""

    ids: Ids
    scores: Scores

    def __len__(self) -> int:
        return len(self.ids)


class VectorIndex(Protocol):
    """An immutable set of vectors with int64 ids, searched by inner product. Thread-safe."""

    @property
    def ids(self) -> Ids:
        """All ids, (n,) ascending."""
        ...

    def only(self, allowed: Mask) -> Self:
        """Returns the same index restricted to the allowed images."""
        ...

    def candidates(self, queries: Vectors, k: int) -> Ids:
        """Returns the approximately k best images of each query (m, dimension).

        The result is one array of distinct ids. Each query gets k images, or all if fewer.
        """
        ...

    def vectors(self, ids: Ids) -> Vectors:
        """Returns the exact vectors of ids of this index, (n, dimension), in this order."""
        ...

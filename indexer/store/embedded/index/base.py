"""What the rest of the software knows of an index."""

from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from indexer.arrays import Ids, Scores, Vectors

# allowed[image_id] says whether the image may be found; ids past its end may not.
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Hits:
    """Images by falling score, equal scores by rising id. Both arrays are (n,)."""

    ids: Ids
    scores: Scores

    def __len__(self) -> int:
        return len(self.ids)


class VectorIndex(Protocol):
    """An immutable set of vectors under int64 ids, searched by inner product."""

    @property
    def ids(self) -> Ids:
        """Every id, (n,) ascending."""
        ...

    def only(self, allowed: Mask) -> Self:
        """The same index, whose candidates are among the allowed ones."""
        ...

    def candidates(self, queries: Vectors, k: int) -> Ids:
        """The k best of each query (m, dimension), as one array of ids without repeats.

        They may be nearly the k best, but they are k, or all where there are fewer. Safe in
        any number of threads.
        """
        ...

    def vectors(self, ids: Ids) -> Vectors:
        """The vectors of ids that are in here, (n, dimension), exactly, in that order."""
        ...

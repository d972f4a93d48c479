"""Many texts in two arrays, which can be mapped from a file."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.arrays import Ids


@dataclass(frozen=True)
class Texts:
    """Immutable texts, decoded when they are read.

    Args:
        starts: (n + 1,) place of the first byte of each text, and the end; unsigned.
        encoded: (bytes,) the texts in UTF-8, one after the other.
    """

    starts: NDArray[Any]
    encoded: NDArray[np.uint8]

    @classmethod
    def of(cls, texts: Sequence[str]) -> "Texts":
        """Encodes texts."""
        encoded = [text.encode() for text in texts]
        ends = np.cumsum([0, *map(len, encoded)])
        return cls(
            ends.astype(np.min_scalar_type(ends[-1])), np.frombuffer(b"".join(encoded), np.uint8)
        )

    def __len__(self) -> int:
        return len(self.starts) - 1

    def at(self, rows: Ids) -> list[str]:
        """Returns some of the texts."""
        data, starts, ends = self.encoded.data, self.starts[rows], self.starts[1:][rows]
        return [
            str(data[start:end], "utf-8")
            for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
        ]

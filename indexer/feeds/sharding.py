"""Splits a feed into parts for several machines."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256

from indexer.errors import BadParameterError
from indexer.feeds import FeedRow, Rejection

_FORM = re.compile(r"([0-9]{1,6})/([0-9]{1,6})")


@dataclass(frozen=True)
class Shard:
    """Part `part` of `parts`, from 1.

    The part of a row depends only on its product id.
    """

    part: int
    parts: int

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Parses a shard such as `2/8`.

        Raises:
            BadParameterError: the text is malformed or the part out of range.
        """
        match = _FORM.fullmatch(text)
        part, parts = map(int, match.groups()) if match else (0, 0)
        if not 1 <= part <= parts:
            raise BadParameterError(
                f"shard: received {text!r}; expected PART/PARTS with 1 <= PART <= PARTS, as in 2/8"
            )
        return cls(part, parts)

    def has(self, product_id: str) -> bool:
        """Returns whether the product belongs to this part."""
        return int.from_bytes(sha256(product_id.encode()).digest()) % self.parts == self.part - 1

    def of(self, rows: Iterable[FeedRow | Rejection]) -> Iterator[FeedRow | Rejection]:
        """Yields the rows of this part; all rows without a product id belong to the same part."""
        return (row for row in rows if self.has(row.product_id or ""))

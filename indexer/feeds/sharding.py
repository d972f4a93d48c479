"""Cutting a feed into parts for several machines."""

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

    The product id alone decides where a row belongs: not its place in the feed, nor the machine.
    """

    part: int
    parts: int

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """The shard that is written as `2/8`.

        Raises:
            BadParameterError: this is none.
        """
        match = _FORM.fullmatch(text)
        part, parts = map(int, match.groups()) if match else (0, 0)
        if not 1 <= part <= parts:
            raise BadParameterError(
                f"shard: received {text!r}; allowed is PART/PARTS with 1 <= PART <= PARTS, as 2/8"
            )
        return cls(part, parts)

    def has(self, product_id: str) -> bool:
        """Whether the product is of this part; each is of exactly one."""
        return int.from_bytes(sha256(product_id.encode()).digest()) % self.parts == self.part - 1

    def of(self, rows: Iterable[FeedRow | Rejection]) -> Iterator[FeedRow | Rejection]:
        """The rows of this part; those without a product id are all of one part."""
        return (row for row in rows if self.has(row.product_id or ""))

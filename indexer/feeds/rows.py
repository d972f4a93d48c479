"""What a feed is made of: before columns are understood, and after."""

from collections.abc import Sequence
from dataclasses import dataclass

# int beside float, so that JSON's 42 is matched by the filter `size:42`, not by `size:42.0`.
AttributeValue = str | int | float | bool


@dataclass(frozen=True)
class ImageRef:
    """One photo: `uri` as the merchant wrote it, `location` an absolute path or http(s) URL."""

    uri: str
    location: str


@dataclass(frozen=True)
class FeedRow:
    """One product. `images` has at least one entry, the main photo first.

    `line` is the line of the file where the row starts (Parquet: the row's
    number, from 1); None for photos. `source` is the feed as it was given.
    """

    product_id: str
    attributes: dict[str, AttributeValue]
    images: tuple[ImageRef, ...]
    line: int | None
    source: str


@dataclass(frozen=True)
class Rejection:
    """One row or photo that cannot be used; `product_id` where it could be read."""

    source: str
    line: int | None
    product_id: str | None
    reason: str


class RowError(Exception):
    """Why a row cannot be used. Never leaves the package: it becomes a `Rejection`."""


@dataclass(frozen=True)
class Record:
    """A row as its file has it: (column, value) pairs, in order, repetitions kept."""

    line: int
    cells: Sequence[tuple[str, object]]


@dataclass(frozen=True)
class BadRecord:
    """A row that its file format cannot make sense of."""

    line: int
    reason: str

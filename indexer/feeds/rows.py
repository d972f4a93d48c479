"""What a feed is made of: before columns are understood, and after."""

from collections.abc import Sequence
from dataclasses import dataclass, field

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
    `number` counts the rows of the feed from 1, as several may be on one line.
    `may_name` has ids of other products whose rows may have ended up inside this one, behind a
    stray quote. `warnings` say what was probably meant in another way than it was taken.
    """

    product_id: str
    attributes: dict[str, AttributeValue]
    images: tuple[ImageRef, ...]
    line: int | None
    source: str
    may_name: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    number: int = field(default=0, compare=False)

    def rejected(self, reason: str, cause: str = "") -> "Rejection":
        """The rejection of this row."""
        own = (self.source, self.line, self.product_id, reason, self.may_name, cause)
        return Rejection(*own, number=self.number)


@dataclass(frozen=True)
class Rejection:
    """One row, or some photos of it, that cannot be used.

    `product_id` is None unless the row surely has it. `may_name` are ids that the row may have
    beside that: their products must not be taken for removed. `cause` is the reason without what is
    of this row alone, such as the name of its photo. For `number` see `FeedRow`.
    """

    source: str
    line: int | None
    product_id: str | None
    reason: str
    may_name: tuple[str, ...] = ()
    cause: str = ""
    number: int = field(default=0, compare=False)


@dataclass(frozen=True)
class RowWarning:
    """A row that was used, and what its merchant should look at."""

    source: str
    line: int | None
    product_id: str
    reason: str


class RowError(Exception):
    """Why a row cannot be used. Never leaves the package: it becomes a `Rejection`."""


@dataclass(frozen=True)
class Record:
    """A row as its file has it: (column, value) pairs, in order, repetitions kept.

    For `may_name` see `FeedRow`. `fault` says which value cannot be read, if one cannot.
    """

    line: int
    cells: Sequence[tuple[str, object]]
    may_name: tuple[str, ...] = ()
    fault: str = ""


@dataclass(frozen=True)
class BadRecord:
    """A row that its file format cannot make sense of; see `Rejection` for the ids.

    `cells` are what it has all the same; without a name where its column is not known.
    """

    line: int
    reason: str
    product_id: str | None = None
    may_name: tuple[str, ...] = ()
    cells: Sequence[tuple[str, object]] = ()

"""The parts of a feed: records as read from a file, and rows as parsed."""

from collections.abc import Sequence
from dataclasses import dataclass, field

# int and float are distinct, so that the filter `size:42` matches the number 42 of JSON.
AttributeValue = str | int | float | bool


@dataclass(frozen=True)
class ImageRef:
    """One photo: `uri` as the merchant wrote it, `location` an absolute path or http(s) URL."""

    uri: str
    location: str


@dataclass(frozen=True)
class FeedRow:
    """One product.

    Attributes:
        product_id: the merchant's id.
        attributes: by name.
        images: at least one; the main photo first.
        line: line of the file where the row starts (Parquet: number of the row, from 1); None
            for photos.
        source: the feed as the user named it.
        may_name: ids of other products whose rows may be part of this one because of a stray
            quote, or whose row this may be because of a stray delimiter.
        warnings: columns that were used or ignored differently than the merchant may expect.
        number: number of the row in the feed, from 1; several rows may be on one line.
        cut: the file ends in this row, without a line end, so that its end may be missing.
    """

    product_id: str
    attributes: dict[str, AttributeValue]
    images: tuple[ImageRef, ...]
    line: int | None
    source: str
    may_name: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    number: int = field(default=0, compare=False)
    cut: bool = False

    def rejected(self, reason: str, cause: str = "") -> "Rejection":
        """Returns the rejection of this row."""
        fields = (self.source, self.line, self.product_id, reason, self.may_name, cause)
        return Rejection(*fields, number=self.number, cut=self.cut)


@dataclass(frozen=True)
class Rejection:
    """A row, or photos of a row, that cannot be used.

    Attributes:
        source: the feed as the user named it.
        line: see `FeedRow`.
        product_id: id of the row; None if it is not certain.
        reason: what is wrong, for the merchant.
        may_name: values of the row that may be ids; their products must not be removed.
        text: of a row whose values are not certain; a product whose id occurs in it must not be
            removed.
        cause: the reason without details of this row, such as the name of its photo, so that
            equal causes can be counted.
        number: see `FeedRow`.
        cut: see `FeedRow`.
    """

    source: str
    line: int | None
    product_id: str | None
    reason: str
    may_name: tuple[str, ...] = ()
    cause: str = ""
    number: int = field(default=0, compare=False)
    text: str = field(default="", compare=False, repr=False)
    cut: bool = False


@dataclass(frozen=True)
class RowWarning:
    """A row that was used, with something that its merchant should check."""

    source: str
    line: int | None
    product_id: str
    reason: str


class RowError(Exception):
    """Why a row cannot be used. Internal to the package: converted to a `Rejection`."""


@dataclass(frozen=True)
class Record:
    """A row as read from its file.

    Attributes:
        line: see `FeedRow`.
        cells: (column, value) pairs in order, repeated columns included.
        may_name: see `FeedRow`.
        fault: the value that is invalid, and why; empty if all are valid.
        cut: see `FeedRow`.
        text: what the row has beside its cells.
    """

    line: int
    cells: Sequence[tuple[str, object]]
    may_name: tuple[str, ...] = ()
    fault: str = ""
    cut: bool = False
    text: str = ""


@dataclass(frozen=True)
class BadRecord:
    """A row that is malformed in its file format.

    Attributes:
        line: see `FeedRow`.
        reason: what is wrong.
        product_id: see `Rejection`.
        text: all that the row has, as far as it can be read.
        cells: the (column, value) pairs that could be read; the column is empty if unknown.
    """

    line: int
    reason: str
    product_id: str | None = None
    text: str = ""
    cells: Sequence[tuple[str, object]] = ()

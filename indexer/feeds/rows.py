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
        possible_ids: ids of other products whose rows may be part of this one because of a stray
            quote, or whose row this may be because of a stray delimiter.
        warnings: columns that were used or ignored differently than the merchant may expect.
        number: number of the row in the feed, from 1; several rows may be on one line.
        unterminated: the file ends in this row without a line break, so the row may be truncated.
    """

    product_id: str
    attributes: dict[str, AttributeValue]
    images: tuple[ImageRef, ...]
    line: int | None
    source: str
    possible_ids: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    number: int = field(default=0, compare=False)
    unterminated: bool = False

    def rejected(self, reason: str, cause: str = "") -> "Rejection":
        """Returns the rejection of this row."""
        fields = (self.source, self.line, self.product_id, reason, self.possible_ids, cause)
        return Rejection(*fields, number=self.number, unterminated=self.unterminated)


@dataclass(frozen=True)
class Rejection:
    """A row, or photos of a row, that cannot be used.

    Attributes:
        source: the feed as the user named it.
        line: see `FeedRow`.
        product_id: id of the row; None if it is not certain.
        reason: what is wrong, for the merchant.
        possible_ids: values of the row that may be ids; their products must not be removed.
        raw_text: of a row whose values are not certain; a product whose id occurs in it must not
            be removed.
        cause: the reason without details of this row, such as the name of its photo, so that
            equal causes can be counted.
        number: see `FeedRow`.
        unterminated: see `FeedRow`.
    """

    source: str
    line: int | None
    product_id: str | None
    reason: str
    possible_ids: tuple[str, ...] = ()
    cause: str = ""
    number: int = field(default=0, compare=False)
    raw_text: str = field(default="", compare=False, repr=False)
    unterminated: bool = False


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
        possible_ids: see `FeedRow`.
        fault: the value that is invalid, and why; empty if all are valid.
        unterminated: see `FeedRow`.
        raw_text: text of the row that is in no cell.
    """

    line: int
    cells: Sequence[tuple[str, object]]
    possible_ids: tuple[str, ...] = ()
    fault: str = ""
    unterminated: bool = False
    raw_text: str = ""


@dataclass(frozen=True)
class BadRecord:
    """A row that is malformed in its file format.

    Attributes:
        line: see `FeedRow`.
        reason: what is wrong.
        product_id: see `Rejection`.
        raw_text: the whole row, as far as it can be read.
        cells: the (column, value) pairs that could be read; the column is empty if unknown.
    """

    line: int
    reason: str
    product_id: str | None = None
    raw_text: str = ""
    cells: Sequence[tuple[str, object]] = ()

"""Finds the products of a catalogue that no row of a feed, bad rows included, may be about."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from indexer.errors import MassRemovalError
from indexer.feeds import FeedRow, Rejection, RowWarning

MAX_REMOVAL = 0.2  # fraction of the products that a feed removes unasked
_STRAY = "\"',;|\t"  # around an id: remains of quotes and delimiters
_BYTE = re.compile("[\udc80-\udcff]")  # bytes that are not UTF-8, as `surrogateescape` reads them


@dataclass(frozen=True)
class Surplus:
    """Products of a catalogue that are not in a feed.

    Attributes:
        product_ids: of the products that no row names.
        present: number of products in the catalogue.
        unknown: number of rejected rows without a certain id, which may be of any product.
        warnings: about products that are kept because another row may contain theirs.
    """

    product_ids: list[str]
    present: int
    unknown: int
    warnings: list[RowWarning]

    def require_few(self, limit: float) -> None:
        """Checks that the feed does not remove suspiciously many products.

        Args:
            limit: fraction of the products that may be removed; 1 allows any number.

        Raises:
            MassRemovalError: more would be removed.
        """
        # A quotient, because 0.29 * 100 is less than 29.
        if self.product_ids and len(self.product_ids) / self.present > limit:
            share = math.ceil(100 * len(self.product_ids) / self.present)
            raise MassRemovalError(
                f"the feed would remove {len(self.product_ids)} of {self.present} products, more"
                f" than {limit:.0%}; if that is meant, pass --max-removal {share}% or"
                " --allow-mass-removal"
            )


def surplus(product_ids: Iterable[str], rows: Iterable[FeedRow | Rejection]) -> Surplus:
    """Returns the products of a catalogue that no row of a feed may be about.

    Args:
        product_ids: of all products of the catalogue.
        rows: of the whole feed.
    """
    left = dict.fromkeys(product_ids)
    present, unknown, unterminated = len(left), 0, None
    occurring = Occurring(left)
    doubtful: dict[str, FeedRow] = {}
    for row in rows:
        is_new = row.product_id not in left
        left.pop(row.product_id or "", None)
        unterminated = row if row.unterminated else unterminated
        if isinstance(row, FeedRow):
            names = (
                *row.possible_ids,
                row.product_id.strip(_STRAY),
                *(_texts(row) if is_new else ()),
            )
            doubtful |= {name: row for name in names if name in left}
            continue
        unknown += row.product_id is None
        for name in (*row.possible_ids, *occurring.within(row.raw_text)):
            left.pop(name, None)
    kept = {name: row for name, row in doubtful.items() if name in left}
    warnings = [_swallowed(name, row) for name, row in kept.items()]
    gone = [each for each in left if each not in kept]
    if unterminated and gone:
        warnings.append(_unterminated(unterminated))
    return Surplus(gone, present, unknown, warnings)


class Occurring:
    """Finds ids in text, at word boundaries.

    Args:
        ids: to find; ids removed from the mapping are no longer found.
    """

    def __init__(self, ids: Mapping[str, object]) -> None:
        self._ids = ids
        self._lengths: dict[str, set[int]] = {}  # by the first character
        for each in ids:
            self._lengths.setdefault(each[0], set()).add(len(each))

    def within(self, text: str) -> list[str]:
        """Returns the ids in the text; bytes that are not UTF-8 are tried as Latin-1."""
        found = self._as_read(text)
        if _BYTE.search(text):
            found += self._as_read(_BYTE.sub(lambda byte: chr(ord(byte[0]) - 0xDC00), text))
        return found

    def _as_read(self, text: str) -> list[str]:
        found = []
        for start, first in enumerate(text):
            lengths = self._lengths.get(first)
            if lengths is None or not _is_edge(text, start):
                continue
            for length in lengths:
                each = text[start : start + length]
                if each in self._ids and _is_edge(text, start + length):
                    found.append(each)
        return found


def _is_edge(text: str, place: int) -> bool:
    """Returns whether a word boundary is at this place."""
    return not (text[place - 1 : place].isalnum() and text[place : place + 1].isalnum())


def _texts(row: FeedRow) -> list[str]:
    """Returns the texts of a new product; a stray delimiter may have moved another id into one.

    Numbers are omitted, because sizes and counts often equal short ids.
    """
    values = [*row.attributes.values(), *(image.uri for image in row.images)]
    return [value for value in values if isinstance(value, str) and not value.isdigit()]


def _swallowed(product_id: str, row: FeedRow) -> RowWarning:
    reason = (
        f"this row may be or contain the row of product {product_id!r}, so that product is kept;"
        " check the row for a stray quote or delimiter"
    )
    return RowWarning(row.source, row.line, row.product_id, reason)


def _unterminated(row: FeedRow | Rejection) -> RowWarning:
    reason = (
        "the feed ends in this row without a line break; check that the feed is complete, because"
        " products missing from it are removed"
    )
    return RowWarning(row.source, row.line, row.product_id or "", reason)

"""Which products a feed no longer has: none that a row of it may be about."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from indexer.errors import MassRemovalError
from indexer.feeds import FeedRow, Rejection, RowWarning

MASS_REMOVAL_FRACTION = 0.2
_STRAY = "\"',;|\t"  # around an id, they are left over from its quotes or delimiters
_BYTE = re.compile("[\udc80-\udcff]")  # how a byte that is no UTF-8 is read


@dataclass(frozen=True)
class Surplus:
    """What a catalogue has beyond a feed.

    Attributes:
        product_ids: of the products that no row names.
        present: how many products there are in all.
        unknown: how many rejected rows have no readable id: any of the products may be theirs.
        warnings: of products that are kept because they seem to be inside of another row.
    """

    product_ids: list[str]
    present: int
    unknown: int
    warnings: list[RowWarning]

    def require_few(self) -> None:
        """Checks that the feed does not remove suspiciously many products.

        Raises:
            MassRemovalError: more than `MASS_REMOVAL_FRACTION` of the products would be removed.
        """
        if len(self.product_ids) > MASS_REMOVAL_FRACTION * self.present:
            raise MassRemovalError(
                f"the feed would remove {len(self.product_ids)} of {self.present} products, more"
                f" than {MASS_REMOVAL_FRACTION:.0%}; if that is meant, pass --allow-mass-removal"
            )


def surplus(product_ids: Iterable[str], rows: Iterable[FeedRow | Rejection]) -> Surplus:
    """What there is beyond the rows of a feed.

    Args:
        product_ids: of all products of the catalogue.
        rows: of the whole feed.
    """
    left = dict.fromkeys(product_ids)
    present, unknown, cut = len(left), 0, None
    occurring = Occurring(left)
    doubtful: dict[str, FeedRow] = {}
    for row in rows:
        is_new = row.product_id not in left
        left.pop(row.product_id or "", None)
        cut = row if row.cut else cut
        if isinstance(row, FeedRow):
            names = (*row.may_name, row.product_id.strip(_STRAY), *(_texts(row) if is_new else ()))
            doubtful |= {name: row for name in names if name in left}
            continue
        unknown += row.product_id is None
        for name in (*row.may_name, *occurring.within(row.text)):
            left.pop(name, None)
    kept = {name: row for name, row in doubtful.items() if name in left}
    warnings = [_swallowed(name, row) for name, row in kept.items()]
    gone = [each for each in left if each not in kept]
    if cut and gone:
        warnings.append(_cut(cut))
    return Surplus(gone, present, unknown, warnings)


class Occurring:
    """Finds ids in text, as whole words or several.

    Args:
        ids: to look for; those that are gone from it are not found any more.
    """

    def __init__(self, ids: Mapping[str, object]) -> None:
        self._ids = ids
        self._lengths: dict[str, set[int]] = {}  # by the first character
        for each in ids:
            self._lengths.setdefault(each[0], set()).add(len(each))

    def within(self, text: str) -> list[str]:
        """The ids that stand in the text; bytes that are no UTF-8 may be Latin-1."""
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
    """Whether no word goes on across this place."""
    return not (text[place - 1 : place].isalnum() and text[place : place + 1].isalnum())


def _texts(row: FeedRow) -> list[str]:
    """The texts of a new product: a stray delimiter may have moved the id of another into one.

    Numbers are left out, because sizes and counts often equal short ids.
    """
    values = [*row.attributes.values(), *(image.uri for image in row.images)]
    return [value for value in values if isinstance(value, str) and not value.isdigit()]


def _swallowed(product_id: str, row: FeedRow) -> RowWarning:
    reason = (
        f"this may be, or hold, the row of product {product_id!r}, which is therefore kept:"
        " is there a quote or a delimiter too many?"
    )
    return RowWarning(row.source, row.line, row.product_id, reason)


def _cut(row: FeedRow | Rejection) -> RowWarning:
    reason = (
        "the feed ends in this row without a line break: check that it is complete, as products are"
        " removed that it does not name"
    )
    return RowWarning(row.source, row.line, row.product_id or "", reason)

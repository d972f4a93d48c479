"""Which products a feed no longer has: none that a row of it may be about."""

from collections.abc import Iterable
from dataclasses import dataclass

from indexer.errors import MassRemovalError
from indexer.feeds import FeedRow, Rejection, RowWarning

MASS_REMOVAL_FRACTION = 0.2


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
        """
        Raises:
            MassRemovalError: there are so many that the feed is more likely broken.
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
    present, unknown = len(left), 0
    doubtful: dict[str, FeedRow] = {}
    for row in rows:
        left.pop(row.product_id or "", None)
        if isinstance(row, FeedRow):
            doubtful |= {name: row for name in row.may_name if name in left}
            continue
        unknown += row.product_id is None
        for name in row.may_name:
            left.pop(name, None)
    kept = {name: row for name, row in doubtful.items() if name in left}
    warnings = [_swallowed(name, row) for name, row in kept.items()]
    return Surplus([each for each in left if each not in kept], present, unknown, warnings)


def _swallowed(product_id: str, row: FeedRow) -> RowWarning:
    reason = (
        f"this may be, or hold, the row of product {product_id!r}, which is therefore kept:"
        " is there a quote too many?"
    )
    return RowWarning(row.source, row.line, row.product_id, reason)

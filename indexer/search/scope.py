"""Which products a query may find, and by how much each is boosted."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from indexer.attributes import Clause, Table, parse
from indexer.attributes.column import Mask
from indexer.search.parameters import Boost

# Unless the query has a condition on stock itself.
IN_STOCK = parse("!in_stock:false")


@dataclass(frozen=True)
class Scope:
    """
    Args:
        total: the number of products that may be found.
        excluded: products that exist and are not to be found.
        strata: boosts, and the images of the products that each is for; None is all images.
        rows: the products of the table that may be found; None if there was no need to know.
    """

    total: int
    excluded: frozenset[str]
    strata: Sequence[tuple[float, Mask | None]]
    rows: Mask | None = None


def everything(products: int, excluded: frozenset[str]) -> Scope:
    """All products but the excluded ones."""
    return Scope(products - len(excluded), excluded, [(0.0, None)])


def narrowed(
    table: Table,
    conditions: Sequence[Clause],
    boosts: Sequence[Boost],
    excluded: frozenset[str],
) -> Scope:
    """The products that meet every condition.

    Raises:
        BadFilterError: a condition is on an attribute that no product has.
    """
    rows = table.everything
    for condition in conditions:
        rows = rows & table.having(condition)
    if excluded:
        rows = rows.copy()
        rows[table.find(sorted(excluded))] = False
    total = int(np.count_nonzero(rows))
    if boosts:
        return Scope(total, excluded, _strata(table, boosts, rows), rows)
    allowed = table.images(rows) if conditions else None
    return Scope(total, excluded, [(0.0, allowed)], rows)


def stocked(table: Table, conditions: Sequence[Clause]) -> list[Clause]:
    """The conditions, and that of being in stock unless one of them is about that."""
    asked = any(condition.field == IN_STOCK.field for condition in conditions)
    return [*conditions] if asked or not table.has(IN_STOCK.field) else [*conditions, IN_STOCK]


def _strata(table: Table, boosts: Sequence[Boost], rows: Mask) -> list[tuple[float, Mask | None]]:
    """Products that meet the same of the boosts' conditions are ranked among themselves."""
    kinds = np.zeros(len(rows), np.uint8)
    for bit, boost in enumerate(boosts):
        kinds |= table.having(boost.condition).astype(np.uint8) << bit
    strata: list[tuple[float, Mask | None]] = []
    for kind in np.flatnonzero(np.bincount(kinds[rows], minlength=1)).tolist():
        weight = sum(boost.weight for bit, boost in enumerate(boosts) if kind >> bit & 1)
        strata.append((float(weight), table.images(rows & (kinds == kind))))
    return strata

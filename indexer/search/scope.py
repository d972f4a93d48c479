"""Which products a query may find, and by how much each is boosted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from indexer.search.parameters import Boost
from indexer.store.embedded.attributes import Clause, Table, parse
from indexer.store.embedded.attributes.column import Mask

# Unless the query has a condition on stock itself.
IN_STOCK = parse("!in_stock:false")


class Stratum(NamedTuple):
    """Products of the same boost.

    Args:
        boost: added to their scores for the ranking.
        images: which are searched; None for all.
        own: which of those that are found are theirs; None for all.
    """

    boost: float = 0.0
    images: Mask | None = None
    own: Mask | None = None


@dataclass(frozen=True)
class Scope:
    """
    Args:
        total: the number of products that may be found.
        excluded: products that exist and are not to be found.
        strata: which are ranked each by itself.
        rows: the products of the table that may be found; None if there was no need to know.
    """

    total: int
    excluded: frozenset[str]
    strata: Sequence[Stratum]
    rows: Mask | None = None


def everything(products: int, excluded: frozenset[str]) -> Scope:
    """All products but the excluded ones."""
    return Scope(products - len(excluded), excluded, [Stratum()])


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
        strata = _strata(table, boosts, rows, everything=not conditions)
        return Scope(total, excluded, strata, rows)
    allowed = table.images(rows) if conditions else None
    return Scope(total, excluded, [Stratum(images=allowed)], rows)


def stocked(table: Table, conditions: Sequence[Clause]) -> list[Clause]:
    """The conditions, and that of being in stock unless one of them is about that."""
    asked = any(condition.field == IN_STOCK.field for condition in conditions)
    return [*conditions] if asked or not table.has(IN_STOCK.field) else [*conditions, IN_STOCK]


def _strata(
    table: Table, boosts: Sequence[Boost], rows: Mask, *, everything: bool
) -> list[Stratum]:
    """Products that meet the same of the boosts' conditions, for each set of them."""
    kinds = np.zeros(len(rows), np.uint8)
    for bit, boost in enumerate(boosts):
        kinds |= table.having(boost.condition).astype(np.uint8) << bit
    counts = np.bincount(kinds[rows], minlength=1)
    strata = []
    for kind in np.flatnonzero(counts).tolist():
        weight = float(sum(boost.weight for bit, boost in enumerate(boosts) if kind >> bit & 1))
        own = table.images(rows & (kinds == kind))
        if everything and 2 * counts[kind] > len(table):
            # Quicker than looking for candidates among nearly all.
            strata.append(Stratum(weight, None, own))
        else:
            strata.append(Stratum(weight, own))
    return strata

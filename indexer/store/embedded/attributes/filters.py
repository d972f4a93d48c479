"""Evaluates conditions on the distinct values of a column."""

import operator
from collections.abc import Callable, Sequence

import numpy as np

from indexer.store.conditions import Condition
from indexer.store.embedded.attributes.column import Column, Mask
from indexer.store.embedded.attributes.hashing import Hashing, Keys
from indexer.store.embedded.attributes.values import Numbers, keys_of_query

_COMPARE: dict[str, Callable[[Numbers, float], Mask]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def members(condition: Condition, columns: Sequence[Column], hashing: Hashing) -> list[Mask]:
    """Returns for each column a mask of the codes that match a condition, ignoring negation."""
    if condition.operator != ":":
        compare = _COMPARE[condition.operator]
        return [compare(column.numbers, condition.bound) for column in columns]
    keys = keys_of_query(condition.values, hashing).tolist()
    return [_any_of(column.keys, keys) for column in columns]


def _any_of(present: Keys, keys: Sequence[int]) -> Mask:
    found = np.zeros(len(present), np.bool_)
    for key in keys:
        found |= present == key
    return found

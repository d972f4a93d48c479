"""Evaluates conditions on the distinct values of a column."""

import operator
from collections.abc import Callable

import numpy as np

from indexer.store.conditions import Condition
from indexer.store.embedded.attributes.column import Column, Mask
from indexer.store.embedded.attributes.values import Numbers, keys_of_query

_COMPARE: dict[str, Callable[[Numbers, float], Mask]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def members(condition: Condition, column: Column) -> Mask:
    """Returns a mask of the codes of a column that match a condition, ignoring negation."""
    if condition.operator != ":":
        return _COMPARE[condition.operator](column.numbers, condition.bound)
    found = np.zeros(len(column.keys), np.bool_)
    for value in condition.values:
        for key in keys_of_query(value):
            found |= column.keys == key
    return found

"""Conditions on attributes, as a query writes them.

color:red          is red (or is a list that has red)
color:red,"a, b"   is any of these; a quote within quotes is doubled
price<=50          a number: also <, >, >=
!color:red         is not red, or has no color
"""

import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from indexer.errors import BadFilterError
from indexer.store.embedded.attributes.column import Column, Mask
from indexer.store.embedded.attributes.values import Numbers, keys_of_query, number

_CLAUSE = re.compile(r"\s*(!?)\s*(\w+)\s*(:|<=|>=|<|>)(.*)", re.DOTALL)
_VALUE = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([^",]*?))\s*(,|$)', re.DOTALL)
_COMPARE: dict[str, Callable[[Numbers, float], Mask]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_GRAMMAR = 'write field:value, field:a,b, field<5 (or <=, >, >=), or one of these after "!"'


@dataclass(frozen=True)
class Clause:
    """One condition. A product that lacks the field does not meet it, unless it is negated.

    Args:
        text: as it was received.
        field: the attribute.
        negated: the products that do not meet the rest.
        keys: of values that are asked for; empty for a comparison.
        operator, bound: of a comparison.
    """

    text: str
    field: str
    negated: bool
    keys: tuple[int, ...] = ()
    operator: str = ""
    bound: float = math.nan

    def members(self, column: Column) -> Mask:
        """Which members of a column meet the condition, before negation."""
        if self.operator:
            return _COMPARE[self.operator](column.numbers, self.bound)
        found = np.zeros(len(column.keys), np.bool_)
        for key in self.keys:
            found |= column.keys == key
        return found


def parse(text: str) -> Clause:
    """
    Raises:
        BadFilterError: it is no condition.
    """
    match = _CLAUSE.fullmatch(text)
    if match is None:
        raise BadFilterError(f"received {text!r:.200}; {_GRAMMAR}")
    negated, field, sign, rest = match.groups()
    values = _values(text, rest)
    if sign == ":":
        keys = tuple(dict.fromkeys(key for value in values for key in keys_of_query(value)))
        return Clause(text, field, bool(negated), keys)
    bound = number(values[0])
    if len(values) != 1 or math.isnan(bound):
        raise BadFilterError(f"received {text!r:.200}; {sign} takes one number, such as 49.90")
    return Clause(text, field, bool(negated), operator=sign, bound=bound)


def _values(text: str, rest: str) -> list[str]:
    values, at, more = [], 0, ","
    while more:
        match = _VALUE.match(rest, at)
        if match is None or not (match[1] or match[2]):
            raise BadFilterError(
                f"received {text!r:.200}; a value is empty or its quotes do not close: separate"
                ' values by commas, and quote those that have commas or quotes: "a, ""b"""'
            )
        values.append(match[2] or match[1].replace('""', '"'))
        at, more = match.end(), match[3]
    return values

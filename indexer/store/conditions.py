"""Conditions on attributes, as a query writes them.

color:red          is red (or is a list that has red)
color:red,"a, b"   is any of these; a quote within quotes is doubled
price<=50          a number: also <, >, >=
!color:red         is not red, or has no color
"""

import math
import re
from dataclasses import dataclass

from indexer.errors import BadFilterError

_CONDITION = re.compile(r"\s*(!?)\s*(\w+)\s*(:|<=|>=|<|>)(.*)", re.DOTALL)
_VALUE = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([^",]*?))\s*(,|$)', re.DOTALL)
_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)", re.ASCII)
_GRAMMAR = "field:value, field:a,b or field<5 (also <=, >, >=), each optionally after !"


@dataclass(frozen=True)
class Condition:
    """One condition. A product that lacks the field does not meet it, unless it is negated.

    Text is compared without regard to case; a text that spells a number equals that number.

    Args:
        text: as it was received.
        field: the attribute.
        negated: the products that do not meet the rest.
        operator: `:` for equality with any of the values, or `<`, `<=`, `>`, `>=`.
        values: of an equality.
        bound: of a comparison.
    """

    text: str
    field: str
    negated: bool
    operator: str
    values: tuple[str, ...] = ()
    bound: float = math.nan


def parse(text: str) -> Condition:
    """
    Raises:
        BadFilterError: the text cannot be read as a condition.
    """
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise BadFilterError(f"received {text!r:.200}; expected {_GRAMMAR}")
    negated, field, operator, rest = match.groups()
    values = _values(text, rest)
    if operator == ":":
        return Condition(text, field, bool(negated), operator, tuple(dict.fromkeys(values)))
    bound = number_of(values[0])
    if len(values) != 1 or math.isnan(bound):
        raise BadFilterError(f"received {text!r:.200}; {operator} takes one number, such as 49.90")
    return Condition(text, field, bool(negated), operator, bound=bound)


def number_of(text: str) -> float:
    """The number that a text spells; NaN if it spells none."""
    return float(text) if _NUMBER.fullmatch(text) else math.nan


def _values(text: str, rest: str) -> list[str]:
    values, at, more = [], 0, ","
    while more:
        match = _VALUE.match(rest, at)
        if match is None or not (match[1] or match[2]):
            raise BadFilterError(
                f"received {text!r:.200}; empty value or unbalanced quotes: separate"
                ' values by commas, and quote those that contain commas or quotes: "a, ""b"""'
            )
        values.append(match[2] or match[1].replace('""', '"'))
        at, more = match.end(), match[3]
    return values

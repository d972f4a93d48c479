"""Parses the conditions on attributes in queries.

color:red          equals red, or is a list that contains red
color:red,"a, b"   equals any of these; quotes within quotes are doubled
price<=50          numeric comparison; also <, >, >=
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
    """One condition. A product without the field matches only if the condition is negated.

    Text is compared case-insensitively; a text that is a number equals that number.

    Args:
        text: as received.
        field: the attribute.
        negated: whether to select the products that do not match the rest.
        operator: `:` for equality with any of the values, or `<`, `<=`, `>`, `>=`.
        values: for equality.
        bound: for a comparison.
    """

    text: str
    field: str
    negated: bool
    operator: str
    values: tuple[str, ...] = ()
    bound: float = math.nan


def parse(text: str) -> Condition:
    """Parses a condition.

    Raises:
        BadFilterError: the text is malformed.
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
    """Parses a decimal number; NaN if the text is not one."""
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

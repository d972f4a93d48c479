"""How attribute values are compared: the same in every store.

A value has a comparable, which is equal for values that a filter treats as equal, and, for ranges,
a number.
"""

import json
import math
from collections.abc import Sequence

from indexer.store.conditions import number_of
from indexer.store.records import AttributeValue

Comparable = str | float


def comparable(value: AttributeValue) -> Comparable:
    """Returns a text or number that is equal for equal values; True equals the text "true"."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.casefold() if isinstance(value, str) else float(value)


def comparables_of_query(text: str) -> list[Comparable]:
    """Returns what a text in a query equals: itself and, if it is one, the number."""
    parsed = number(text)
    return [comparable(text)] if math.isnan(parsed) else [comparable(text), parsed]


def number(value: AttributeValue) -> float:
    """Returns a value as a number, parsing text; NaN if it is not a number."""
    if isinstance(value, str):
        return number_of(value)
    return math.nan if isinstance(value, bool) else float(value)


def members(value: AttributeValue) -> Sequence[AttributeValue]:
    """Returns the members of a list, which is stored as JSON text; or the value itself."""
    if isinstance(value, str) and value.startswith("["):
        try:
            parsed = json.loads(value)
        except (ValueError, RecursionError):
            return (value,)
        if parsed and all(isinstance(one, str | int | float) for one in parsed):
            return list({comparable(one): one for one in parsed}.values())
    return (value,)

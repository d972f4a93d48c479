"""Conditions as Milvus expressions.

Milvus cannot compare text without case, or search for a member of a list that is stored as text, so
each row has what conditions compare: `terms`, the hashes of its attributes' values, and `numbers`,
the least and the largest number of each attribute. Names and values occur in expressions as hashes
only, so none can change the meaning of an expression. Product ids, which pages compare, are quoted.
"""

import json
import math
import sys
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from itertools import pairwise

from indexer.errors import BadParameterError
from indexer.store.conditions import Condition
from indexer.store.records import Attributes
from indexer.store.values import Comparable, comparable, comparables_of_query, members, number

MAX_TERMS = 4096  # of a row; the capacity of arrays in Milvus
# Keys are spread evenly over [0, KEYS), so that a range of them is a random sample of products.
KEYS = 1 << 63
LEAD = "position == 0"  # one row of each product
NOTHING = "position < 0"  # matches no row


def key(text: str) -> int:
    """Returns a 63-bit hash; collisions do not occur in practice."""
    return (
        int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()) >> 1
    )


def terms(attributes: Attributes) -> list[int]:
    """Returns the terms of a product: one per attribute, and one per value.

    Raises:
        BadParameterError: there are too many.
    """
    found = set()
    for name, value in attributes.items():
        found.add(_has(name))
        for member in members(value):
            found.add(_equals(name, comparable(member)))
            if not math.isnan(number(member)):
                found.add(_has_number(name))
    if len(found) > MAX_TERMS:
        raise BadParameterError(
            f"the attributes have {len(found):,} different values; Milvus stores {MAX_TERMS:,}"
        )
    return sorted(found)


def numbers(attributes: Attributes) -> dict[str, float]:
    """Returns the least and the largest number of each attribute that has one."""
    found = {}
    for name, value in attributes.items():
        numeric = [n for n in map(number, members(value)) if not math.isnan(n)]
        if numeric:
            found[_least(name)], found[_largest(name)] = (
                _finite(min(numeric)),
                _finite(max(numeric)),
            )
    return found


def meeting(condition: Condition) -> str:
    """Returns the expression of a condition."""
    if condition.operator == ":":
        wanted = {
            _equals(condition.field, each)
            for value in condition.values
            for each in comparables_of_query(value)
        }
        found = f"array_contains_any(terms, {listed(wanted)})"
        return f"(not {found})" if condition.negated else f"({found})"
    return _comparison(condition)


def _comparison(condition: Condition) -> str:
    """Returns the expression of a comparison.

    A negated one is spelled out, because Milvus versions differ on `not` of a missing number.
    """
    name, operator, bound = condition.field, condition.operator, repr(_finite(condition.bound))
    # Some member is below the bound if the least is.
    place = _least(name) if operator in ("<", "<=") else _largest(name)
    has = f"array_contains(terms, {_has_number(name)})"
    if not condition.negated:
        return f'({has} and numbers["{place}"] {operator} {bound})'
    opposite = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}[operator]
    return f'((not {has}) or numbers["{place}"] {opposite} {bound})'


def all_of(parts: Iterable[str]) -> str:
    """Joins expressions by `and`; "" matches every row."""
    return " and ".join(filter(None, parts))


def is_in(field: str, keys: Iterable[int]) -> str:
    """Returns the expression for one of the integers; there must be one."""
    return f"{field} in {listed(keys)}"


def listed(values: Iterable[int]) -> str:
    """Returns a list of integers, sorted, as in an expression."""
    return f"[{', '.join(map(str, sorted(values)))}]"


def quoted(text: str) -> str:
    """Returns a text as a literal of an expression."""
    return json.dumps(text, ensure_ascii=False)


def slices(parts: int) -> Sequence[str]:
    """Returns expressions that partition products evenly by their keys."""
    parts = max(1, parts)
    bounds = [KEYS * part // parts for part in range(parts + 1)]
    bounds[-1] -= 1  # the largest key, which Milvus can write
    last = parts - 1
    return [
        f"product_key >= {low} and product_key {'<=' if part == last else '<'} {high}"
        for part, (low, high) in enumerate(pairwise(bounds))
    ]


def _equals(name: str, value: Comparable) -> int:
    kind, text = ("text", value) if isinstance(value, str) else ("number", repr(value + 0.0))
    return key(f"{kind}\0{name}\0{text}")


def _has(name: str) -> int:
    return key(f"has\0{name}")


def _has_number(name: str) -> int:
    return key(f"has number\0{name}")


def _least(name: str) -> str:
    return f"least_{key(name):x}"


def _largest(name: str) -> str:
    return f"largest_{key(name):x}"


def _finite(value: float) -> float:
    """Returns the number within the finite ones; JSON has no others."""
    return max(-sys.float_info.max, min(sys.float_info.max, value))

"""What values of attributes are compared as.

A value has a key, which is the same for equal values, and perhaps a number, for ranges. Keys are
64-bit hashes: a million titles take 8 MB instead of 100, and no two of them meet in practice.
"""

import json
import math
from collections.abc import Iterable, Sequence
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from indexer.arrays import Ids
from indexer.store.conditions import number_of
from indexer.store.records import AttributeValue

Keys = NDArray[np.int64]
Numbers = NDArray[np.float64]

# Text that starts otherwise is neither a number nor a list.
_ODD = frozenset("[+-.0123456789")
_first_character = itemgetter(slice(1))


def key(value: AttributeValue) -> int:
    """Equal for text that differs in case only, for equal numbers, and for a truth and its name."""
    if isinstance(value, bool):
        return hash("true" if value else "false")
    return hash(value.casefold()) if isinstance(value, str) else hash((float(value),))


def number(value: AttributeValue) -> float:
    """The number that a value is or, as text, spells; NaN if none."""
    if isinstance(value, str):
        return number_of(value)
    return math.nan if isinstance(value, bool) else float(value)


def keys_of_query(text: str) -> list[int]:
    """The keys of what a query may mean by a text: text or truth, or a number."""
    spelt = number(text)
    return [key(text)] if math.isnan(spelt) else [key(text), key(spelt)]


def members(value: AttributeValue) -> Sequence[AttributeValue]:
    """The values that a value stands for: several if it is a list, which is kept as JSON text."""
    if isinstance(value, str) and value.startswith("["):
        try:
            parsed = json.loads(value)
        except (ValueError, RecursionError):
            return (value,)
        if parsed and all(isinstance(one, str | int | float) for one in parsed):
            return list({key(one): one for one in parsed}.values())
    return (value,)


def compared(
    values: Sequence[AttributeValue],
) -> tuple[Sequence[AttributeValue], Ids, Keys, Numbers]:
    """The members of all values, the place of the value that each is of, their keys and numbers.

    Quicker than one by one where all values are of one kind.
    """
    kinds, places = set(map(type, values)), np.arange(len(values))
    if kinds <= {int, float}:
        numbers = np.array(values, np.float64)
        return values, places, _hashes(zip(numbers.tolist(), strict=True)), numbers
    if kinds == {str} and _ODD.isdisjoint(map(_first_character, values)):  # type: ignore[arg-type]
        keys = _hashes(map(str.casefold, values))  # type: ignore[arg-type]
        return values, places, keys, np.full(len(values), np.nan)
    lists = list(map(members, values))
    own = [member for members in lists for member in members]
    places = np.repeat(places, list(map(len, lists)))
    return own, places, np.array(list(map(key, own)), np.int64), np.array(list(map(number, own)))


def _hashes(values: Iterable[object]) -> Keys:
    return np.array(list(map(hash, values)), np.int64)

"""Keys and numbers by which attribute values are compared.

A value has a key, which is the same for equal values, and, for ranges, a number. Keys are 64-bit
hashes: a million titles take 8 MB instead of 100, and collisions do not occur in practice.
"""

import math
from collections.abc import Sequence
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from indexer.arrays import Ids
from indexer.store.embedded.attributes.hashing import Hashing, Keys
from indexer.store.records import AttributeValue
from indexer.store.values import comparable, members, number

Numbers = NDArray[np.float64]

# Text that starts with any other character is neither a number nor a list.
_NUMBER_OR_LIST = frozenset("[+-.0123456789")
_first_character = itemgetter(slice(1))


def keys_of(values: Sequence[AttributeValue], hashing: Hashing) -> Keys:
    """Returns keys that ignore case and are equal for equal numbers, and for True and "true"."""
    if set(map(type, values)) <= {int, float}:
        return hashing.of_numbers(map(float, values))
    compared = list(map(comparable, values))
    is_text = np.array([isinstance(value, str) for value in compared], np.bool_)
    keys = np.empty(len(values), np.int64)
    keys[is_text] = hashing.of_texts(value for value in compared if isinstance(value, str))
    keys[~is_text] = hashing.of_numbers(v for v in compared if isinstance(v, float))
    return keys


def keys_of_query(texts: Sequence[str], hashing: Hashing) -> Keys:
    """Returns the keys that texts in a query match: as text or boolean, and as a number."""
    numbers = [parsed for parsed in map(number, texts) if not math.isnan(parsed)]
    return keys_of([*texts, *numbers], hashing)


def compared(
    values: Sequence[AttributeValue], hashing: Hashing
) -> tuple[Sequence[AttributeValue], Ids, Keys, Numbers]:
    """Returns the members of all values, the index of the value of each, their keys and numbers.

    Faster than one by one if all values are of the same type.
    """
    kinds, places = set(map(type, values)), np.arange(len(values))
    if kinds <= {int, float}:
        numbers = np.array(values, np.float64)
        return values, places, hashing.of_numbers(numbers), numbers
    if kinds == {str} and _NUMBER_OR_LIST.isdisjoint(map(_first_character, values)):  # type: ignore[arg-type]
        keys = hashing.of_texts(map(str.casefold, values))  # type: ignore[arg-type]
        return values, places, keys, np.full(len(values), np.nan)
    lists = list(map(members, values))
    flat = [member for members in lists for member in members]
    places = np.repeat(places, list(map(len, lists)))
    return flat, places, keys_of(flat, hashing), np.array(list(map(number, flat)))

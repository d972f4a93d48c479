"""One attribute of many products: a code per product, and what each code stands for."""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from indexer.store import AttributeValue
from indexer.store.embedded.attributes.values import Keys, Numbers, key, members, number, quick

Mask = NDArray[np.bool_]
Codes = NDArray[np.int32]
Rows = NDArray[np.int64]

# An attribute with more values is told by keys only: nobody wants counts of so many.
MOST_LABELS = 10_000
# A column that fewer products have is kept as pairs of row and code.
_DENSE_SHARE = 1 / 4
# To compare with so few codes is quicker than to look each up.
_COMPARED = 4


@dataclass(frozen=True)
class Column:
    """Immutable. A list is one code with several members; all other codes have one.

    Args:
        rows: (n,) ascending, of the products that have the attribute; None if codes has every row.
        codes: (n,), -1 where a product has no such attribute.
        owners: (m,) ascending, the code of each member; every code up to the last has one.
        keys: (m,) of the members.
        numbers: (m,) of the members, NaN where one is none.
        labels: (m,) the members as they are; None if they are too many.
    """

    rows: Codes | None
    codes: Codes
    owners: Codes
    keys: Keys
    numbers: Numbers
    labels: tuple[AttributeValue, ...] | None

    @property
    def values(self) -> int:
        """The number of codes; they may mean equal things."""
        return int(self.owners[-1]) + 1 if len(self.owners) else 0

    def having(self, chosen: Mask, size: int) -> Mask:
        """The rows (size,) that have a chosen member, (m,)."""
        values = np.zeros(self.values + 1, np.bool_)  # the last one is what -1 finds
        if len(chosen) == self.values:
            values[:-1] = chosen
        else:
            values[self.owners[chosen]] = True
        hit = np.flatnonzero(values)
        if len(hit) > _COMPARED:
            found = values[self.codes]
        else:
            found = np.zeros(len(self.codes), np.bool_)
            for code in hit.astype(np.int32):
                found |= self.codes == code
        return self._spread(found, size)

    def present(self, size: int) -> Mask:
        """The rows (size,) that have the attribute."""
        return self._spread(self.codes >= 0, size)

    def counts(self, rows: Mask) -> tuple[Rows, Rows]:
        """The members that some rows have, and how many rows have each."""
        # Counted from 1 on, so that -1 is a number too.
        found = np.bincount(self._among(rows) + 1, minlength=self.values + 1)[1:][self.owners]
        members = np.flatnonzero(found)
        return members, found[members]

    def first_keys(self, rows: Rows) -> tuple[Keys, Mask]:
        """The key of the first member of each row, and whether it has the attribute at all."""
        codes = self._codes_of(rows)
        return self.keys[np.searchsorted(self.owners, codes)], codes >= 0

    def groups(self, rows: Mask) -> tuple[Keys, int]:
        """The different first keys among some rows, and how many rows have none."""
        codes = self._among(rows)
        there = codes[codes >= 0]
        keys, key_of_code = self._first_keys
        found = np.zeros(len(keys), np.bool_)
        found[key_of_code[there]] = True
        return keys[found], int(np.count_nonzero(rows)) - len(there)

    @cached_property
    def _first_keys(self) -> tuple[Keys, Rows]:
        """The different first keys, and which of them each code has."""
        firsts = np.searchsorted(self.owners, np.arange(self.values))
        keys, key_of_code = np.unique(self.keys[firsts], return_inverse=True)
        return keys, key_of_code

    def _among(self, rows: Mask) -> Codes:
        # Four times as fast as indexing with the mask itself.
        return self.codes[np.flatnonzero(rows if self.rows is None else rows[self.rows])]

    def _codes_of(self, rows: Rows) -> Codes:
        if self.rows is None:
            return self.codes[rows]
        at = np.minimum(np.searchsorted(self.rows, rows), max(0, len(self.rows) - 1))
        found = np.full(len(rows), -1, np.int32)
        if len(self.rows):
            known = self.rows[at] == rows
            found[known] = self.codes[at[known]]
        return found

    def _spread(self, found: Mask, size: int) -> Mask:
        if self.rows is None:
            return found
        mask = np.zeros(size, np.bool_)
        mask[self.rows] = found
        return mask

    def pairs(self) -> tuple[Codes, Codes]:
        """Rows that have the attribute, and their codes."""
        if self.rows is not None:
            return self.rows, self.codes
        rows = np.flatnonzero(self.codes >= 0).astype(np.int32)
        return rows, self.codes[rows]


class ColumnBuilder:
    """Collects the values of one attribute."""

    def __init__(self) -> None:
        self._rows: list[Codes] = []
        self._codes: list[Codes] = []
        self._owners: list[Codes] = []
        self._keys: list[Keys] = []
        self._numbers: list[Numbers] = []
        self._labels: list[AttributeValue] | None = []
        self._values = 0
        self._new: tuple[array[int], array[int], array[float]] = (
            array("i"),
            array("q"),
            array("d"),
        )
        self._known = _Known(self)

    def extend(self, rows: Codes, values: Sequence[AttributeValue]) -> None:
        """Adds the values of some rows, each of which comes once."""
        many = None if self._labels is not None else quick(values)
        if many is not None:
            self._flush()
            codes = np.arange(self._values, self._values + len(values), dtype=np.int32)
            self._values += len(values)
            self._add_members(codes, *many)
        else:
            if bool in set(map(type, values)):  # which equals 1 or 0
                values = [(v,) if isinstance(v, bool) else v for v in values]  # type: ignore[misc]
            found = map(self._known.__getitem__, values)
            codes = np.fromiter(found, np.int32, len(values))
        self._rows.append(rows)
        self._codes.append(codes)
        if len(self._known) > MOST_LABELS:
            self._known.clear()
            self._labels = None

    def value(self, value: AttributeValue | tuple[bool]) -> int:
        """A new code for a value."""
        owners, keys, numbers = self._new
        for member in members(value[0] if isinstance(value, tuple) else value):
            owners.append(self._values)
            keys.append(key(member))
            numbers.append(number(member))
            if self._labels is not None:
                self._labels.append(member)
        self._values += 1
        return self._values - 1

    def merge(self, column: Column, new_rows: Rows) -> None:
        """Adds a column; new_rows says which row each of its rows becomes, -1 for none."""
        rows, codes = column.pairs()
        rows = new_rows[rows].astype(np.int32)
        kept, codes = rows[rows >= 0], codes[rows >= 0]
        used = np.zeros(column.values, np.bool_)
        used[codes] = True
        if column.labels is None or self._labels is None or len(self._known) > MOST_LABELS:
            self._labels = None
            self._known.clear()
            self._flush()
            becomes = (np.cumsum(used) - 1 + self._values).astype(np.int32)
            there = used[column.owners]
            owners = becomes[column.owners[there]]
            self._values += int(np.count_nonzero(used))
            self._add_members(owners, column.keys[there], column.numbers[there])
        else:
            becomes = self._relabelled(column, used)
        self._rows.append(kept)
        self._codes.append(becomes[codes])

    def finish(self, size: int) -> Column:
        """The column of so many rows."""
        self._flush()
        rows, codes = _joined(self._rows, np.int32), _joined(self._codes, np.int32)
        if len(rows) >= _DENSE_SHARE * size:
            dense = np.full(size, -1, np.int32)
            dense[rows] = codes
            sparse = None
        else:
            order = np.argsort(rows)
            sparse, dense = rows[order], codes[order]
        return Column(
            sparse,
            dense,
            _joined(self._owners, np.int32),
            _joined(self._keys, np.int64),
            _joined(self._numbers, np.float64),
            None if self._labels is None else tuple(self._labels),
        )

    def _relabelled(self, column: Column, used: Mask) -> Codes:
        becomes = np.full(column.values, -1, np.int32)
        labels = column.labels or ()
        starts = np.searchsorted(column.owners, np.arange(column.values + 1))
        for code in np.flatnonzero(used).tolist():
            own = labels[starts[code] : starts[code + 1]]
            known = tuple((type(label), label) for label in own)
            if known not in self._known:
                for member, label in enumerate(own, starts[code]):
                    self._new[0].append(self._values)
                    self._new[1].append(int(column.keys[member]))
                    self._new[2].append(column.numbers[member])
                    if self._labels is not None:
                        self._labels.append(label)
                self._known[known] = self._values
                self._values += 1
            becomes[code] = self._known[known]
        return becomes

    def _add_members(self, owners: Codes, keys: Keys, numbers: Numbers) -> None:
        self._owners.append(owners)
        self._keys.append(keys)
        self._numbers.append(numbers)

    def _flush(self) -> None:
        owners, keys, numbers = self._new
        self._add_members(
            np.array(owners, np.int32), np.array(keys, np.int64), np.array(numbers, np.float64)
        )
        for new in self._new:
            del new[:]


class _Known(dict[object, int]):
    """The code of each value; a new one gets one when it is looked up."""

    def __init__(self, column: ColumnBuilder) -> None:
        super().__init__()
        self._column = column

    def __missing__(self, value: AttributeValue | tuple[bool]) -> int:
        code = self[value] = self._column.value(value)
        return code


def _joined(parts: Iterable[NDArray], dtype: type) -> NDArray:  # type: ignore[type-arg]
    parts = list(parts)
    return np.concatenate(parts) if parts else np.empty(0, dtype)

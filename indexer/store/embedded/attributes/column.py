"""One attribute of many products, dictionary-encoded: a code for each entry."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexer.arrays import Ids
from indexer.store import AttributeValue
from indexer.store.embedded.attributes.hashing import Hashing, Keys
from indexer.store.embedded.attributes.values import Numbers, compared

Mask = NDArray[np.bool_]
Integers = NDArray[np.signedinteger]

# An attribute with more distinct values has no labels, and therefore no facet.
MAX_LABELS = 10_000
# A column that a smaller share of products has is stored as pairs of row and code.
_DENSE_SHARE = 1 / 4
# Up to this number of codes, comparing is faster than a lookup table.
_MAX_COMPARED = 4


@dataclass(frozen=True)
class Column:
    """An immutable column. A product has one entry, or one for each member of a list.

    Args:
        size: number of rows.
        rows: (n,) row of each entry, ascending; None if entry i belongs to row i.
        codes: (n,) code of each entry; if `rows` is None, -1 for products without the attribute.
        keys: (m,) key of each code; distinct if there are no labels.
        numbers: (m,) number of each code, ascending; NaN, which come last, if it is not a number.
        labels: (m,) value of each code; None if there are too many.
    """

    size: int
    rows: Integers | None
    codes: Integers
    keys: Keys
    numbers: Numbers
    labels: Sequence[AttributeValue] | None

    def having(self, chosen: Mask) -> Mask:
        """Returns a mask (size,) of the rows that have one of the chosen codes (m,)."""
        hit = np.flatnonzero(chosen)
        if len(hit) > _MAX_COMPARED:
            if hit[-1] - hit[0] == len(hit) - 1:  # of a range: a tenth of the time of a table
                return self._spread((self.codes >= hit[0]) & (self.codes <= hit[-1]))
            return self._spread(np.append(chosen, False)[self.codes])  # -1 indexes the last
        found = np.zeros(len(self.codes), np.bool_)
        for code in hit.tolist():
            found |= self.codes == code
        return self._spread(found)

    def present(self) -> Mask:
        """Returns a mask (size,) of the rows that have the attribute."""
        return self._spread(self.codes >= 0)

    def counts(self, rows: Mask) -> Integers:
        """Counts the entries of each code among the rows of a mask (size,)."""
        # Four times as fast as indexing with the mask itself.
        among = np.flatnonzero(rows if self.rows is None else rows[self.rows])
        return self._count(self.codes[among])

    def counts_of(self, rows: Integers) -> Integers:
        """Counts the entries of each code among a few rows."""
        if self.rows is None:
            return self._count(self.codes[rows])
        of = rows.astype(self.rows.dtype)
        first, end = (np.searchsorted(self.rows, of, side) for side in ("left", "right"))
        codes = [self.codes[a:b] for a, b in zip(first.tolist(), end.tolist(), strict=True)]
        return self._count(np.concatenate([self.codes[:0], *codes]))

    def first_keys(self, rows: Integers) -> tuple[Keys, Mask]:
        """Returns the key of the first value of each row, and whether the row has a value."""
        if not len(self.keys):
            return np.zeros(len(rows), np.int64), np.zeros(len(rows), np.bool_)
        if self.rows is None:
            codes = self.codes[rows]
            return self.keys[codes], codes >= 0
        at = np.searchsorted(self.rows[:-1], rows.astype(self.rows.dtype))
        return self.keys[self.codes[at]], self.rows[at] == rows

    def groups(self, rows: Mask) -> tuple[Keys, int]:
        """Returns the distinct first keys of the rows of a mask, and how many rows have one."""
        if self.rows is None:
            codes = self.codes[np.flatnonzero(rows)]
            codes = codes[codes >= 0]
        else:
            is_first = np.diff(self.rows, prepend=-1) > 0
            codes = self.codes[np.flatnonzero(rows[self.rows] & is_first)]
        found = np.zeros(len(self.keys), np.bool_)
        found[codes] = True
        keys = self.keys[found]
        return keys if self.labels is None else np.unique(keys), len(codes)

    def entries(self) -> tuple[Integers, Integers]:
        """Returns the row and the code of each entry."""
        if self.rows is not None:
            return self.rows, self.codes
        rows = np.flatnonzero(self.codes >= 0)
        return rows, self.codes[rows]

    def _count(self, codes: Integers) -> Integers:
        # Shifted by 1, because bincount does not accept -1.
        return np.bincount(codes + 1, minlength=len(self.keys) + 1)[1:]

    def _spread(self, found: Mask) -> Mask:
        if self.rows is None:
            return found
        mask = np.zeros(self.size, np.bool_)
        mask[self.rows[found]] = True
        return mask


class ColumnBuilder:
    """Collects the values of one attribute.

    Args:
        hashing: of the keys.
    """

    def __init__(self, hashing: Hashing) -> None:
        self._hashing = hashing
        self._rows: list[Integers] = []
        self._codes: list[Integers] = []
        # The code of each value; None once there are too many: then each entry gets a new code.
        self._known: _Known | None = _Known()
        self._compared: list[tuple[Ids, Keys, Numbers]] = []
        self._values = 0  # number of values in `_compared`

    def extend(self, rows: Integers, values: Sequence[AttributeValue]) -> None:
        """Adds the values of rows; each row must be added only once."""
        self._rows.append(rows)
        if self._known is None:
            self._codes.append(np.arange(self._values, self._values + len(values), dtype=np.int32))
            self._compare(values)
            return
        if bool in set(map(type, values)):  # True == 1, so booleans are wrapped
            values = [(v,) if isinstance(v, bool) else v for v in values]  # type: ignore[misc]
        codes = map(self._known.__getitem__, values)
        self._codes.append(np.fromiter(codes, np.int32, len(values)))
        if len(self._known) > MAX_LABELS:
            self._compare(self._known.values_of_codes())
            self._known = None

    def finish(self, size: int) -> Column:
        """Returns the column with `size` rows."""
        labels = None if self._known is None else self._compare(self._known.values_of_codes())
        rows, codes = np.concatenate(self._rows), np.concatenate(self._codes)
        parts = zip(*self._compared, strict=True)
        owners, keys, numbers = (np.concatenate(part) for part in parts)
        if len(owners) > self._values:  # lists have an entry for each member
            first = np.searchsorted(owners, np.arange(self._values + 1))
            several = np.diff(first)[codes]
            nth = np.arange(several.sum()) - np.repeat(np.cumsum(several) - several, several)
            rows, codes = np.repeat(rows, several), np.repeat(first[codes], several) + nth
        return _column(size, rows, codes, keys, numbers, labels)

    def _compare(self, values: Sequence[AttributeValue]) -> Sequence[AttributeValue]:
        """Adds keys and numbers of values; returns the members of the values."""
        members, owners, keys, numbers = compared(values, self._hashing)
        self._compared.append((owners + self._values, keys, numbers))
        self._values += len(values)
        return members


class _Known(dict[object, int]):
    """Assigns consecutive codes to values."""

    def __missing__(self, value: object) -> int:
        code = self[value] = len(self)
        return code

    def values_of_codes(self) -> list[AttributeValue]:
        """Returns the values in the order of their codes, with booleans unwrapped."""
        return [value[0] if isinstance(value, tuple) else value for value in self]  # type: ignore[misc]


def nothing(size: int) -> Column:
    """Returns an empty column with `size` rows."""
    none = np.empty(0, np.int64)
    return Column(size, none, none, none, np.empty(0), ())


def merged(columns: Sequence[Column], becomes: Sequence[Integers], size: int) -> Column:
    """Merges columns into one.

    Args:
        columns: to merge.
        becomes: for each column, the new row of each row; -1 drops it.
        size: number of rows of the result.
    """
    rows, codes, before = [], [], 0
    for column, new_rows in zip(columns, becomes, strict=True):
        old_rows, old_codes = column.entries()
        moved = new_rows[old_rows]
        rows.append(moved[moved >= 0])
        codes.append(old_codes[moved >= 0] + np.int64(before))
        before += len(column.keys)
    labels = [label for column in columns for label in column.labels or ()]
    return _column(
        size,
        np.concatenate(rows),
        np.concatenate(codes),
        np.concatenate([column.keys for column in columns]),
        np.concatenate([column.numbers for column in columns]),
        labels if len(labels) == before else None,
    )


def _column(
    size: int,
    rows: Integers,
    codes: Integers,
    keys: Keys,
    numbers: Numbers,
    labels: Sequence[AttributeValue] | None,
) -> Column:
    """Creates a column from entries in any order, without unused and duplicate codes."""
    used = np.zeros(len(keys), np.bool_)
    used[codes] = True
    if labels is not None:
        present = [(type(labels[at]), labels[at]) for at in np.flatnonzero(used).tolist()]
        known: dict[tuple[type, AttributeValue], int] = {}
        code_of = np.array([known.setdefault(label, len(known)) for label in present], np.int64)
        labels = [label for _, label in known]
        if len(labels) > MAX_LABELS:
            labels = None
    if labels is None:
        code_of = np.unique(keys[used], return_inverse=True)[1]
    new_keys = np.empty(code_of.max(initial=-1) + 1, np.int64)
    new_numbers = np.empty(len(new_keys))
    new_keys[code_of], new_numbers[code_of] = keys[used], numbers[used]
    if np.isnan(new_numbers).all():
        new_numbers = np.broadcast_to(np.nan, len(new_keys))  # a view that takes no memory
    else:  # codes ascend with their numbers, so that a range of numbers is one of codes
        order = np.argsort(new_numbers, kind="stable")
        new_keys, new_numbers = new_keys[order], new_numbers[order]
        labels = None if labels is None else [labels[code] for code in order.tolist()]
        code_of = np.argsort(order)[code_of]
    new_codes = np.zeros(len(keys), np.min_scalar_type(-len(new_keys) - 1))
    new_codes[used] = code_of
    codes, values = new_codes[codes], (new_keys, new_numbers, labels)
    if len(rows) >= _DENSE_SHARE * size:
        dense = np.full(size, -1, codes.dtype)
        dense[rows] = codes
        if np.count_nonzero(dense >= 0) == len(rows):  # no row occurs twice
            return Column(size, None, dense, *values)
    order = np.argsort(rows, kind="stable")
    return Column(size, rows[order].astype(np.int32), codes[order], *values)

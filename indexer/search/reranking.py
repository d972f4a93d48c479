"""Grouping, deduplication and interleaving of a ranking.

The place of a product depends only on the products before it, so consecutive pages never overlap.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from indexer.arrays import Scores, Vectors, batched

# Interleaving moves no product by more ranks than this.
WINDOW = 50
_COMPARED_AT_ONCE = 64


class Ranked(NamedTuple):
    """A product in the ranking, with its best photo. `rank` is its score plus its boost."""

    rank: float
    product_id: str
    image_id: int
    score: float
    boost: float


def best_of_groups(ranked: Sequence[Ranked], groups: Sequence[Hashable | None]) -> list[Ranked]:
    """Keeps the first product of each group, and every product without a group."""
    seen: set[Hashable] = set()
    kept = []
    for row, group in zip(ranked, groups, strict=True):
        if group is None or group not in seen:
            kept.append(row)
        if group is not None:
            seen.add(group)
    return kept


def without_duplicates(
    ranked: Iterable[Ranked],
    vectors: Callable[[list[int]], Vectors],
    threshold: float,
    limit: int,
) -> list[Ranked]:
    """Drops products whose best photo nearly equals that of a better product that is kept.

    Args:
        ranked: best first.
        vectors: gives the vectors (n, dimension) of image ids.
        threshold: the lowest cosine of duplicates.
        limit: stops once this many are kept; may return a few more.
    """
    kept: list[Ranked] = []
    shown: Scores = np.empty((0, 0))
    for rows in batched(ranked, _COMPARED_AT_ONCE):
        found = vectors([row.image_id for row in rows]).astype(np.float64)
        found /= np.linalg.norm(found, axis=1, keepdims=True)
        if not len(kept):
            shown = found[:0]
        taken = np.any(found @ shown.T >= threshold, axis=1)
        among = found @ found.T >= threshold
        new: list[int] = []
        for at in np.flatnonzero(~taken).tolist():
            if not among[at, new].any():
                new.append(at)
        kept += [rows[at] for at in new]
        shown = np.concatenate([shown, found[new]])
        if len(kept) >= limit:
            break
    return kept


def interleaved(
    ranked: Sequence[Ranked], values: Sequence[Hashable | None], per_turn: int, *, complete: bool
) -> list[Ranked]:
    """Interleaves each window of the ranking: takes `per_turn` of each value, then again.

    A product without a value keeps its place in the first turn. A last window that is not full is
    dropped unless the ranking is complete.
    """
    reranked: list[Ranked] = []
    for start in range(0, len(ranked), WINDOW):
        window = range(start, min(start + WINDOW, len(ranked)))
        if len(window) < WINDOW and not complete:
            break
        before: Counter[Hashable] = Counter()
        turns = []
        for at in window:
            value = values[at]
            turns.append((0 if value is None else before[value] // per_turn, at))
            if value is not None:
                before[value] += 1
        reranked += [ranked[at] for _, at in sorted(turns)]
    return reranked

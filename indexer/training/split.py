"""Divides products at random, evenly over their labels."""

import numpy as np

from indexer.arrays import Ids
from indexer.evaluation.metrics import Values
from indexer.evaluation.tasks import Photos
from indexer.training.examples import Examples

VALIDATION = 0.25  # share of the products that decide when to stop
_GOLDEN = (5**0.5 - 1) / 2


def folds(examples: Examples, count: int, seed: int) -> Ids:
    """Returns the fold of each product, 0 to count - 1, about equally many products each.

    Raises:
        LabelsError: a fold has fewer than two labels with two products each.
    """
    found: Ids = (_places(examples, seed) * count).astype(np.int64)
    for fold in range(count):
        part = examples.keep(np.flatnonzero(found[examples.photos.owners] == fold))
        part.require_pairs(f"each of {count} folds needs")
    return found


def validation(examples: Examples, seed: int) -> tuple[Ids, Ids]:
    """Returns the numbers of the photos to learn from, and of those that decide when to stop.

    Raises:
        LabelsError: a part has fewer than two labels with two products each.
    """
    stopping = (_places(examples, seed) < VALIDATION)[examples.photos.owners]
    parts = np.flatnonzero(~stopping), np.flatnonzero(stopping)
    for rows in parts:
        examples.keep(rows).require_pairs(
            f"{VALIDATION:.0%} of the products, which decide when to stop, need"
        )
    return parts


def _places(examples: Examples, seed: int) -> Values:
    """Returns a place between 0 and 1 for each product; products that share a photo share it.

    Products are ordered by label of the first column, at random within a label, and multiples of
    the golden ratio are dealt to them: these are evenly spread in every run of consecutive numbers.
    """
    groups = _groups(examples.photos)
    order = np.random.RandomState(seed).permutation(groups.max() + 1)
    _, first = np.unique(groups, return_index=True)
    order = order[np.argsort(examples.labels[first[order], 0], kind="stable")]
    places = np.empty(len(order))
    places[order] = (np.arange(len(order)) + 0.5) * _GOLDEN % 1
    return np.asarray(places[groups])


def _groups(photos: Photos) -> Ids:
    """Returns a number for each product, equal for products that share a photo, directly or not."""
    parents = list(range(len(photos.product_ids)))

    def root(product: int) -> int:
        while parents[product] != product:
            parents[product] = parents[parents[product]]
            product = parents[product]
        return product

    seen: dict[str, int] = {}
    for content_hash, owner in zip(photos.content_hashes, photos.owners.tolist(), strict=True):
        if content_hash:
            parents[root(owner)] = root(seen.setdefault(content_hash, owner))
    roots = np.array([root(product) for product in range(len(parents))])
    return np.unique(roots, return_inverse=True)[1]

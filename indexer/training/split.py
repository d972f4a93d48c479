"""Divides products at random, evenly over their labels."""

import numpy as np

from indexer.arrays import Ids
from indexer.evaluation.metrics import Values
from indexer.training.examples import Examples

VALIDATION = 0.25  # share of the products that decide when to stop
_GOLDEN = (5**0.5 - 1) / 2


def assign_folds(examples: Examples, count: int, seed: int) -> Ids:
    """Returns the fold of each product, 0 to count - 1, about equally many products each.

    Raises:
        LabelsError: a fold, or the part of the others that decides when to stop, has fewer than
            two labels with two products each in a column.
    """
    examples.require_pairs("`finetune` needs")
    product_folds: Ids = (_places(examples, seed) * count).astype(np.int64)
    photo_folds = product_folds[examples.photos.owners]
    for fold in range(count):
        held_out = photo_folds == fold
        examples.keep(np.flatnonzero(held_out)).require_pairs(f"each of {count} folds needs")
        validation(examples.keep(np.flatnonzero(~held_out)), seed)
    validation(examples, seed)
    return product_folds


def validation(examples: Examples, seed: int) -> tuple[Ids, Ids]:
    """Returns the numbers of the photos to learn from, and of those that decide when to stop.

    Raises:
        LabelsError: a part has fewer than two labels with two products each in a column.
    """
    stopping = (_places(examples, seed) < VALIDATION)[examples.photos.owners]
    parts = np.flatnonzero(~stopping), np.flatnonzero(stopping)
    for rows in parts:
        examples.keep(rows).require_pairs(
            f"{VALIDATION:.0%} of the products, which decide when to stop, need"
        )
    return parts


def _places(examples: Examples, seed: int) -> Values:
    """Returns a place between 0 and 1 for each product; the products of a group have the same.

    Groups are ordered by label of the first column, at random within a label, and multiples of
    the golden ratio are dealt to them: these are evenly spread in every run of consecutive numbers.
    """
    groups = _groups(examples)
    order = np.random.RandomState(seed).permutation(groups.max() + 1)
    _, first = np.unique(groups, return_index=True)
    order = order[np.argsort(examples.labels[first[order], 0], kind="stable")]
    places = np.empty(len(order))
    places[order] = (np.arange(len(order)) + 0.5) * _GOLDEN % 1
    return np.asarray(places[groups])


def _groups(examples: Examples) -> Ids:
    """Returns a number for each product, equal for products that must not be divided.

    These are variants of one product and products that share a photo, directly or through others.
    """
    photos = examples.photos
    parents = list(range(len(photos.product_ids)))

    def root(product: int) -> int:
        while parents[product] != product:
            parents[product] = parents[parents[product]]
            product = parents[product]
        return product

    pairs: list[tuple[int | str, int]] = [
        (family, product) for product, family in enumerate(examples.families.tolist())
    ]
    pairs += [
        (content_hash, owner)
        for content_hash, owner in zip(photos.content_hashes, photos.owners.tolist(), strict=True)
        if content_hash
    ]
    first: dict[int | str, int] = {}
    for shared, product in pairs:
        parents[root(product)] = root(first.setdefault(shared, product))
    roots = np.array([root(product) for product in range(len(parents))])
    return np.unique(roots, return_inverse=True)[1]

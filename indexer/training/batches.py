"""Draws batches in which photos have others with the same label."""

from collections.abc import Iterator

import numpy as np

from indexer.arrays import Ids
from indexer.training.examples import NONE, Examples

_ANCHORS = 128  # photos of a batch; each comes with another one
MIN_STEPS = 20  # of an epoch: with fewer, an epoch of few photos changes little
_MAX_STEPS = 400  # of an epoch, so that validation comes often enough
_TRIES = 8


def batches(examples: Examples, rows: Ids, random: np.random.RandomState) -> Iterator[Ids]:
    """Yields the batches of an epoch: each photo at least once, but of more than 51,200 a part.

    Each photo comes with one of another product that has the same label in a random column, if
    there is one: in random batches, rare labels would hardly ever meet.

    Args:
        examples: all photos.
        rows: the numbers of those to draw from.
        random: for the order and the choice.

    Yields:
        Numbers of photos, each at most once.
    """
    labels, owners = examples.photo_labels[rows], examples.photos.owners[rows]
    steps = min(max(MIN_STEPS, -(-len(rows) // _ANCHORS)), _MAX_STEPS)
    size = min(_ANCHORS, len(rows))
    rounds = -(-steps * size // len(rows))
    anchors = np.concatenate([random.permutation(len(rows)) for _ in range(rounds)])[: steps * size]
    pairs = np.stack([anchors, _partners(anchors, labels, owners, random)])
    for start in range(0, len(anchors), size):
        yield rows[np.unique(pairs[:, start : start + size])]


def _partners(anchors: Ids, labels: Ids, owners: Ids, random: np.random.RandomState) -> Ids:
    """Draws photos of other products with the labels of the anchors in a random column."""
    partners = anchors.copy()
    columns = random.randint(0, labels.shape[1], len(anchors))
    for column in range(labels.shape[1]):
        order = np.argsort(labels[:, column], kind="stable")
        places, ordered = np.argsort(order), labels[order, column]
        alone = np.flatnonzero((columns == column) & (labels[anchors, column] != NONE))
        for _ in range(_TRIES):
            own = labels[anchors[alone], column]
            first, last = (np.searchsorted(ordered, own, side) for side in ("left", "right"))
            # Steps around the circle of photos with this label, never back to the photo itself.
            steps = 1 + (random.random_sample(len(own)) * (last - first - 1)).astype(np.int64)
            at = first + (places[anchors[alone]] - first + steps) % (last - first)
            partners[alone] = order[at]
            alone = alone[owners[partners[alone]] == owners[anchors[alone]]]
    return partners

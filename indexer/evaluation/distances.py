"""Scores of vectors by several distances; for all of them, higher is closer."""

from collections.abc import Callable
from typing import Literal

import numpy as np

from indexer.arrays import Vectors
from indexer.evaluation.metrics import Scores

Metric = Literal["cosine", "l2", "l1", "hamming"]
Score = Callable[[Vectors], Scores]  # queries (b, dimension) -> scores (b, n)

_BLOCK_VALUES = 2**18  # differences in the processor's cache at a time


def scorer(metric: Metric, gallery: Vectors) -> Score:
    """Returns a function that scores queries against the vectors (n, dimension) of a gallery.

    `cosine` is the score of searches. `l2` and `l1` are distances, negated; for vectors of length
    1, L2 gives the order of the cosine. `hamming` counts the dimensions in which both vectors are
    above the median of the gallery, or both are not.
    """
    match metric:
        case "cosine":
            return lambda queries: queries @ gallery.T
        case "l2":
            return lambda queries: -np.sqrt(np.maximum(0, 2 - 2 * (queries @ gallery.T)))
        case "l1":
            return lambda queries: _negated_l1(queries, gallery)
        case "hamming":
            return _hamming(gallery)


def _negated_l1(queries: Vectors, gallery: Vectors) -> Scores:
    scores = np.empty((len(queries), len(gallery)), np.float32)
    step = max(1, _BLOCK_VALUES // gallery.shape[1])
    for start in range(0, len(gallery), step):
        part = gallery[start : start + step]
        for row, query in enumerate(queries):
            scores[row, start : start + step] = -np.abs(part - query).sum(axis=1)
    return scores


def _hamming(gallery: Vectors) -> Score:
    medians = np.median(gallery, axis=0)

    def signs(vectors: Vectors) -> Vectors:
        return np.where(vectors > medians, 1, -1).astype(np.float32)

    codes, dimension = signs(gallery), gallery.shape[1]
    # A product of signs is the number of equal bits minus that of different ones: exact.
    return lambda queries: (signs(queries) @ codes.T + dimension) / 2

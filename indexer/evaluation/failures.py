"""The worst failures, as pictures."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from indexer.arrays import Ids
from indexer.evaluation.evaluation import Evaluation, Result
from indexer.evaluation.tasks import PhotoSet, SameLabel
from indexer.images import ImageLimits
from indexer.pages import thumbnail

MAX_FAILURES = 12
MAX_RESULTS = 4  # of each


@dataclass(frozen=True)
class Picture:
    """A photo in a report.

    Attributes:
        name: product id, or the name of a query photo.
        label: of the product; empty without labels.
        data_uri: a small JPEG; empty if the photo cannot be read.
        score: of a result; None for a query.
        right: whether a result is right.
    """

    name: str
    label: str
    data_uri: str
    score: float | None = None
    right: bool = False


@dataclass(frozen=True)
class Failure:
    """A query, and its first results."""

    query: Picture
    results: list[Picture]


def failures(
    evaluation: Evaluation,
    shown: Result,
    before: Result | None,
    read: Callable[[str], bytes],
    limits: ImageLimits,
) -> list[Failure]:
    """Returns the queries of a result that went most wrong, at most `MAX_FAILURES`.

    Args:
        evaluation: of the result.
        shown: the result.
        before: the queries that lost most nDCG against this result are returned; None for those
            whose first product is wrong with the highest score.
        read: returns the bytes of the file at a location.
        limits: maximum size of a photo.
    """
    album = _Album(evaluation, shown, read, limits)
    return [
        album.failure(place) for place in _worst(shown, before, f"nDCG@{evaluation.k}").tolist()
    ]


def _worst(shown: Result, before: Result | None, metric: str) -> Ids:
    """Returns places among the measured queries."""
    measured = shown.measured
    if before:
        change = measured.values[metric] - before.measured.values[metric]
        order = np.argsort(change, kind="stable")
        failed = change < 0
    else:
        order = np.argsort(-measured.scores[:, 0], kind="stable")
        failed = ~measured.right[:, 0]
    chosen: Ids = order[failed[order]]
    return chosen[:MAX_FAILURES]


class _Album:
    def __init__(
        self,
        evaluation: Evaluation,
        result: Result,
        read: Callable[[str], bytes],
        limits: ImageLimits,
    ) -> None:
        self._task = evaluation.task
        self._result = result
        self._read = read
        self._limits = limits

    def failure(self, place: int) -> Failure:
        """Returns a query, by its place among the measured ones."""
        measured = self._result.measured
        query = int(measured.queries[place])
        return Failure(self._query(query), list(self._results(place, query)))

    def _query(self, query: int) -> Picture:
        photos, judgements = self._task.queries, self._task.judgements
        label = ""
        if isinstance(judgements, SameLabel):
            label = judgements.names[judgements.queries[query]]
        name = photos.product_ids[photos.owners[query]]
        return Picture(name, label, self._thumbnail(photos, query))

    def _results(self, place: int, query: int) -> Iterator[Picture]:
        gallery, judgements = self._task.gallery, self._task.judgements
        measured = self._result.measured
        for rank, product in enumerate(measured.products[place, :MAX_RESULTS].tolist()):
            if product < 0:
                return
            label = ""
            if isinstance(judgements, SameLabel):
                label = judgements.names[judgements.products[product]]
            yield Picture(
                gallery.product_ids[product],
                label,
                self._thumbnail(gallery, self._nearest_photo(product, query)),
                float(measured.scores[place, rank]),
                bool(measured.right[place, rank]),
            )

    def _nearest_photo(self, product: int, query: int) -> int:
        vectors = self._result.vectors
        photos = np.flatnonzero(self._task.gallery.owners == product)
        return int(photos[(vectors.gallery[photos] @ vectors.queries[query]).argmax()])

    def _thumbnail(self, photos: PhotoSet, place: int) -> str:
        box = photos.boxes[place]
        location = photos.locations[place]
        return thumbnail(lambda: self._read(location), self._limits, box)

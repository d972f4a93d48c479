"""From photos, judgements and models to a task and its vectors."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from indexer.arrays import Ids, Vectors
from indexer.embedding import Embedder
from indexer.evaluation.embedding import Embedded
from indexer.evaluation.labels import Labelled, LabelsError
from indexer.evaluation.measuring import Vectorised
from indexer.evaluation.queries import Judged
from indexer.evaluation.tasks import Photos, SameLabel, Task


@dataclass(frozen=True)
class Model:
    """What makes vectors of photos.

    Attributes:
        name: as shown.
        fields: that decide its vectors, for the record.
        load: returns the embedder; takes seconds.
        stored: (photos, dimension), the vectors of the gallery if it has them already.
    """

    name: str
    fields: Mapping[str, str | int]
    load: Callable[[], Embedder]
    stored: Vectors | None = None


@dataclass(frozen=True)
class Prepared:
    """A task with the vectors of every model.

    Attributes:
        task: queries, gallery and judgements.
        models: their vectors, in the order given.
        labelled: the gallery, with what was left out of it.
        candidates: photos that could be queries, before the sample.
        errors: location and reason of photos that cannot be read, which are left out.
        unknown: product ids in the judgements that the gallery does not have.
    """

    task: Task
    models: list[Vectorised]
    labelled: Labelled
    candidates: int
    errors: dict[str, str]
    unknown: list[str] = field(default_factory=list)


Embed = Callable[[Photos, Embedder], Embedded]


def prepare_labels(
    labelled: Labelled, models: Sequence[Model], embed: Embed, *, sample: int, seed: int
) -> Prepared:
    """Prepares leave-one-out: every photo is a query, products with its label are right.

    Args:
        labelled: photos of the gallery.
        models: to measure.
        embed: embeds photos.
        sample: maximum number of queries; of more, this many are drawn at random.
        seed: of that.

    Raises:
        LabelsError: there are no readable photos of two products.
    """
    labelled, vectors, errors = _gallery(labelled, models, embed)
    rows = _drawn(len(labelled.photos), sample, seed)
    queries = labelled.photos.keep(rows)
    judgements = SameLabel(labelled.names, labelled.labels[queries.owners], labelled.labels)
    task = Task(labelled.photos, queries, rows, judgements)
    vectorised = [
        Vectorised(model.name, found, found[rows])
        for model, found in zip(models, vectors, strict=True)
    ]
    return Prepared(task, vectorised, labelled, len(labelled.photos), errors)


def prepare_queries(
    gallery: Labelled,
    judged: Judged,
    models: Sequence[Model],
    embed: Embed,
    *,
    sample: int,
    seed: int,
) -> Prepared:
    """Prepares queries from outside, with the products that are right for each.

    Args:
        gallery: photos to search in.
        judged: the queries.
        models: to measure.
        embed: embeds photos.
        sample: maximum number of queries; of more, this many are drawn at random.
        seed: of that.

    Raises:
        LabelsError: no photo of the gallery, or none of the queries can be read.
    """
    drawn = _drawn(len(judged.photos), sample, seed)
    photos = judged.photos.keep(drawn)
    gallery, vectors, errors = _gallery(gallery, models, embed)
    embedded = [embed(photos, model.load()) for model in models]
    for each in embedded:
        errors |= each.errors
    good = np.flatnonzero([location not in errors for location in photos.locations])
    if not len(good):
        raise _unreadable(errors)
    photos = replace(photos, content_hashes=embedded[0].content_hashes).keep(good)
    grades, unknown = judged.grades_in(gallery.photos.product_ids, drawn[good])
    vectorised = [
        Vectorised(model.name, found, each.vectors[good])
        for model, found, each in zip(models, vectors, embedded, strict=True)
    ]
    task = Task(gallery.photos, photos, None, grades)
    return Prepared(task, vectorised, gallery, len(judged.photos), errors, unknown)


def _drawn(number: int, sample: int, seed: int) -> Ids:
    return np.sort(np.random.RandomState(seed).permutation(number)[:sample])


def _gallery(
    gallery: Labelled, models: Sequence[Model], embed: Embed
) -> tuple[Labelled, list[Vectors], dict[str, str]]:
    """Returns the readable photos, their vectors by each model, and the errors of the others."""
    vectors: list[Vectors] = []
    errors: dict[str, str] = {}
    for model in models:
        if model.stored is None:
            embedded = embed(gallery.photos, model.load())
            photos = replace(gallery.photos, content_hashes=embedded.content_hashes)
            gallery = replace(gallery, photos=photos)
            errors |= embedded.errors
        vectors.append(embedded.vectors if model.stored is None else model.stored)
    good: Ids = np.flatnonzero([location not in errors for location in gallery.photos.locations])
    if not len(good):
        raise _unreadable(errors)
    return gallery.keep(good), [each[good] for each in vectors], errors


def _unreadable(errors: Mapping[str, str]) -> LabelsError:
    location, reason = next(iter(errors.items()))
    return LabelsError(f"no photo can be read; {location}: {reason}")

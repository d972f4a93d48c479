"""From photos, judgements and models to a task and its vectors."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np

from indexer.arrays import Ids, Vectors
from indexer.embedding import Embedder
from indexer.evaluation.embedding import Embedded
from indexer.evaluation.labels import Labelled, LabelsError
from indexer.evaluation.measuring import Vectorised
from indexer.evaluation.queries import Judged
from indexer.evaluation.tasks import PhotoSet, SameLabel, Task
from indexer.store import VECTOR_HASH


@dataclass(frozen=True)
class Model:
    """What makes vectors of photos.

    Attributes:
        name: as shown.
        fields: that decide its vectors, for the record.
        load: loads the embedder; takes seconds and memory.
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
        candidates: photos that could be queries, before the sample, without those found unreadable.
        errors: location and reason of photos that cannot be read, which are left out.
        unknown: product ids in the judgements that the gallery does not have.
        changed: number of photos left out, because their files are not those that were added.
    """

    task: Task
    models: list[Vectorised]
    labelled: Labelled
    candidates: int
    errors: dict[str, str]
    unknown: list[str] = field(default_factory=list)
    changed: int = 0


@dataclass(frozen=True)
class Usable:
    """The photos of a gallery for which all vectors are those of the same file.

    Attributes:
        gallery: these photos.
        places: theirs, in the whole gallery.
        changed: number of photos left out, because their files are not those that were added.
    """

    gallery: Labelled
    places: Ids
    changed: int


Embed = Callable[[PhotoSet, Embedder], Embedded]


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
        LabelsError: no photo can be read, or all that can are of products with one label.
    """
    embedded = [embedded_by(labelled.photos, None, model, embed)[0] for model in models]
    errors = errors_of(embedded)
    usable = usable_photos(labelled, embedded, errors)
    labelled, good = usable.gallery, usable.places
    _require_two_labels(usable, errors)
    rows = drawn(len(labelled.photos), sample, seed)
    queries = labelled.photos.keep(rows)
    judgements = SameLabel(labelled.names, labelled.labels[queries.owners], labelled.labels)
    vectorised = [
        Vectorised(model.name, each.vectors[good], each.vectors[good[rows]])
        for model, each in zip(models, embedded, strict=True)
    ]
    task = Task(labelled.photos, queries, rows, judgements)
    return Prepared(task, vectorised, labelled, len(labelled.photos), errors, [], usable.changed)


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
    chosen = drawn(len(judged.photos), sample, seed)
    queries = judged.photos.keep(chosen)
    both = [embedded_by(gallery.photos, queries, model, embed) for model in models]
    errors = errors_of(each for pair in both for each in pair)
    usable = usable_photos(gallery, [found for found, _ in both], errors)
    gallery, good = usable.gallery, usable.places
    able = readable(queries, errors)
    queries = replace(queries, content_hashes=both[-1][1].content_hashes).keep(able)
    grades, unknown = judged.grades_in(gallery.photos.product_ids, chosen[able])
    vectorised = [
        Vectorised(model.name, found.vectors[good], asked.vectors[able])
        for model, (found, asked) in zip(models, both, strict=True)
    ]
    task = Task(gallery.photos, queries, None, grades)
    candidates = len(judged.photos) - (len(chosen) - len(able))
    return Prepared(task, vectorised, gallery, candidates, errors, unknown, usable.changed)


def drawn(number: int, sample: int, seed: int) -> Ids:
    """Returns the numbers below `number`, or a random sample of them, ascending."""
    return np.sort(np.random.RandomState(seed).permutation(number)[:sample])


def embedded_by(
    gallery: PhotoSet, queries: PhotoSet | None, model: Model, embed: Embed
) -> list[Embedded]:
    """Returns the vectors of the gallery, and of the queries if there are any.

    The model is in memory only meanwhile.
    """
    stored = None
    if model.stored is not None:
        stored = Embedded(model.stored, list(gallery.content_hashes), {})
        if queries is None:
            return [stored]
    embedder = model.load()
    found = stored or embed(gallery, embedder)
    return [found] if queries is None else [found, embed(queries, embedder)]


def _require_two_labels(usable: Usable, errors: Mapping[str, str]) -> None:
    """Raises LabelsError if several products are left and all have the same label."""
    labels, names = set(usable.gallery.labels.tolist()), usable.gallery.names
    if len(labels) > 1 or len(usable.gallery.labels) == 1:
        return
    first = "".join(f", the first is {at}: {why}" for at, why in islice(errors.items(), 1))
    raise LabelsError(
        f"all products with a usable photo have the same label, {names[labels.pop()]!r}; nothing"
        f" can be measured. Photos changed since they were added: {usable.changed:,}; photos that"
        f" cannot be read: {len(errors):,}{first}"
    )


def errors_of(embedded: Iterable[Embedded]) -> dict[str, str]:
    """Returns location and reason of all photos that cannot be read."""
    return {at: why for each in embedded for at, why in each.errors.items()}


def usable_photos(
    gallery: Labelled, embedded: Sequence[Embedded], errors: Mapping[str, str]
) -> Usable:
    """Returns the photos that every model could read and whose files are those that were added.

    The stored vector of a photo whose file has been replaced is that of another picture.

    Args:
        gallery: all photos.
        embedded: these photos by each model.
        errors: location and reason of photos that cannot be read.

    Raises:
        LabelsError: there are none.
    """
    good = readable(gallery.photos, errors)
    added = gallery.photos.content_hashes
    same = [
        before == "" or before.startswith(VECTOR_HASH) or set(now) == {before}
        for before, *now in zip(added, *(each.content_hashes for each in embedded), strict=True)
    ]
    places = good[np.array(same)[good]]
    if not len(places):
        raise LabelsError("the files of all photos have changed since they were added; add them")
    # The hashes of a feed are known only now.
    return Usable(
        gallery.keep(places, embedded[-1].content_hashes), places, len(good) - len(places)
    )


def readable(photos: PhotoSet, errors: Mapping[str, str]) -> Ids:
    """Returns the places of the photos that every model could read.

    Raises:
        LabelsError: there are none.
    """
    good = np.flatnonzero([location not in errors for location in photos.locations])
    if not len(good):
        location, reason = next(iter(errors.items()))
        raise LabelsError(f"no photo can be read; {location}: {reason}")
    return good

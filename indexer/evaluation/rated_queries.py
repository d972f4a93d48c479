"""From the judgements of raters and models to a task and its vectors."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from indexer.arrays import Ids
from indexer.evaluation.agreement import Agreement, agreement
from indexer.evaluation.embedding import Embedded
from indexer.evaluation.labels import Labelled, LabelsError
from indexer.evaluation.measuring import Vectorised
from indexer.evaluation.preparing import (
    Embed,
    Model,
    drawn,
    embedded_by,
    errors_of,
    usable_photos,
)
from indexer.evaluation.rated import RatedTask
from indexer.evaluation.tasks import PhotoSet
from indexer.events import GRADES, RatedQuery, Rating

# Query -> product id -> the grade of each rater, as an index of GRADES.
_Grades = Mapping[RatedQuery, Mapping[str, Sequence[int]]]


@dataclass(frozen=True)
class Judged:
    """What was judged, whether it can be measured or not.

    Attributes:
        judgements: number of all judgements.
        raters: number of raters.
        agreement: between them.
        queries: number of queries with judgements.
        missing: products that are queries and not in the gallery.
        without_file: number of photos that are queries and for which there is no file.
    """

    judgements: int
    raters: int
    agreement: Agreement
    queries: int
    missing: list[str]
    without_file: int


@dataclass(frozen=True)
class PreparedRatings:
    """A task with the vectors of every model.

    Attributes:
        task: queries, gallery and judgements.
        models: vectors of the gallery and of the query photos.
        judged: the judgements; of more queries than the task if some are left out.
        errors: location and reason of photos that cannot be read, which are left out.
        changed: number of photos left out, because their files are not those that were added.
    """

    task: RatedTask
    models: list[Vectorised]
    judged: Judged
    errors: dict[str, str]
    changed: int


@dataclass(frozen=True)
class _Query:
    """A query that can be measured.

    Attributes:
        product: its index in the gallery, if it is a product; otherwise -1.
        photo: its number among the query photos, if it is one; otherwise -1.
        grades: of products, by their index.
    """

    product: int
    photo: int
    grades: Mapping[int, Sequence[int]]


def prepare_ratings(
    labelled: Labelled,
    models: Sequence[Model],
    embed: Embed,
    ratings: Sequence[Rating],
    files: Mapping[str, str],
    *,
    sample: int,
    seed: int,
) -> PreparedRatings:
    """Prepares the queries that raters have judged.

    Args:
        labelled: photos to search in.
        models: to measure.
        embed: embeds photos.
        ratings: the judgements.
        files: locations of query photos by their SHA-256.
        sample: maximum number of queries; of more, this many are drawn at random.
        seed: of that.

    Raises:
        LabelsError: no query can be measured.
    """
    grades = _by_query(ratings)
    photos = [query.id for query in grades if not _is_product(query) and query.id in files]
    asked = _photos([files[photo] for photo in photos]) if photos else None
    embedded = [embedded_by(labelled.photos, asked, model, embed) for model in models]
    errors = errors_of(each for pair in embedded for each in pair)
    usable = usable_photos(labelled, [found for found, *_ in embedded], errors)
    gallery = usable.gallery.photos
    numbers = {photo: n for n, photo in enumerate(photos) if files[photo] not in errors}
    queries = _measurable(grades, gallery, numbers)
    queries = [queries[number] for number in drawn(len(queries), sample, seed).tolist()]
    task, rows = _task(gallery, queries)
    asked_for = [query.photo for query in queries if query.photo >= 0]
    vectors = [
        _vectorised(model.name, of_model, usable.places, rows, asked_for)
        for model, of_model in zip(models, embedded, strict=True)
    ]
    judged = _judged(ratings, grades, gallery, files)
    return PreparedRatings(task, vectors, judged, errors, usable.changed)


def _judged(
    ratings: Sequence[Rating], grades: _Grades, gallery: PhotoSet, files: Mapping[str, str]
) -> Judged:
    products = {query.id for query in grades if _is_product(query)}
    return Judged(
        judgements=len(ratings),
        raters=len({rating.rater for rating in ratings}),
        agreement=agreement(each for of in grades.values() for each in of.values()),
        queries=len(grades),
        missing=sorted(products.difference(gallery.product_ids)),
        without_file=sum(not _is_product(q) and q.id not in files for q in grades),
    )


def _vectorised(
    name: str, embedded: Sequence[Embedded], places: Ids, rows: Ids, chosen: Sequence[int]
) -> Vectorised:
    """Returns the vectors of a model.

    Args:
        name: of the model.
        embedded: all photos, and the query photos if there are any.
        places: the photos that are searched in.
        rows: those of them that are query photos.
        chosen: numbers of the query photos that are not among them.
    """
    found, *of_photos = embedded
    gallery = found.vectors[places]
    return Vectorised(
        name, gallery, np.concatenate([gallery[rows], *(p.vectors[chosen] for p in of_photos)])
    )


def _is_product(query: RatedQuery) -> bool:
    return query.kind == "product"


def _by_query(ratings: Iterable[Rating]) -> _Grades:
    grades: dict[RatedQuery, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for rating in ratings:
        if rating.grade is not None:
            grades[rating.query][rating.product_id].append(GRADES.index(rating.grade))
    return grades


def _measurable(by_query: _Grades, gallery: PhotoSet, photos: Mapping[str, int]) -> list[_Query]:
    """Returns the queries that can be searched with, products first.

    Raises:
        LabelsError: there are none.
    """
    places = {product_id: place for place, product_id in enumerate(gallery.product_ids)}
    queries = []
    for query, grades in by_query.items():
        product = places.get(query.id, -1) if _is_product(query) else -1
        photo = -1 if _is_product(query) else photos.get(query.id, -1)
        found = {places[rated]: each for rated, each in grades.items() if rated in places}
        found.pop(product, None)
        if found and max(product, photo) >= 0:
            queries.append(_Query(product, photo, found))
    if not queries:
        raise LabelsError(
            "nothing to measure: each query needs its product, or its photo (--photos), and another"
            " rated product among the products searched"
        )
    return sorted(queries, key=lambda query: query.photo >= 0)


def _task(gallery: PhotoSet, queries: Sequence[_Query]) -> tuple[RatedTask, Ids]:
    """Returns the task, and the places of the photos in the gallery that are query photos.

    Args:
        gallery: what is searched in.
        queries: products, then photos.
    """
    own = np.array([query.product for query in queries])
    products = own[own >= 0]
    starts = np.searchsorted(gallery.owners, products)
    sizes = np.searchsorted(gallery.owners, products, side="right") - starts
    rows = [np.arange(start, start + size) for start, size in zip(starts, sizes, strict=True)]
    photos = np.arange(len(products), len(queries))
    owners = np.concatenate([np.repeat(np.arange(len(products)), sizes), photos])
    task = RatedTask(gallery, owners, own, [query.grades for query in queries])
    return task, np.concatenate([np.arange(0), *rows])


def _photos(locations: Sequence[str]) -> PhotoSet:
    """Returns each file as a product of its own."""
    number = len(locations)
    return PhotoSet(locations, np.arange(number), locations, [""] * number, [None] * number)

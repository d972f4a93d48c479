"""Why a product is a result: where the query and the product's photo agree. No Flask in here."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Picture

from indexer import catalog, explain
from indexer.arrays import Vectors
from indexer.catalog import CatalogSnapshot
from indexer.errors import ImageError
from indexer.images import Box, ImageLimits, crop, decode, read_photo
from indexer.localisation import AUTO
from indexer.localisation import PASSES as TO_LOCATE
from indexer.search import find_product, image_url
from service.errors import UnknownImageError
from service.photos import QueryPhotos
from service.schemas import ExplainParameters
from service.search import SearchService

Json = dict[str, Any]


def explain_photo(service: SearchService, photo: bytes, asked: ExplainParameters) -> Json:
    """The explanation of a result of the search with a photo, given as its file.

    Raises:
        ImageError: the photo cannot be used.
        BadParameterError: the box is none.
        FingerprintMismatchError: the catalogue holds vectors of another network.
        UnknownProductError: there is no such product.
        UnknownImageError: the photo of the result is no file here.
    """
    searcher, photos = service.searcher(asked.collection), service.photos(asked.collection)
    passes = explain.PASSES + (TO_LOCATE if asked.box == AUTO else 0)
    with service.admission.admitted(passes):
        with searcher.catalog.snapshot() as snapshot:
            searcher.require_photo_search(snapshot)
            images, vectors = _photos_of(snapshot, asked.result)
        took_ms = {"decode": 0.0, "queue": 0.0, "embed": 0.0}
        queries, box = searcher.vectors_of([photo], asked.box, took_ms)
        _, best, score = _nearest(queries, vectors)
        image = decode(photo, photos.limits)
        query = {"image": None, "image_url": None, "box": box}
        part = image if box is None else crop(image, box)
        return _explained(photos, asked.collection, score, (query, part), images[best])


def explain_product(service: SearchService, product_id: str, asked: ExplainParameters) -> Json:
    """The explanation of a result of the search with a product.

    Raises:
        FingerprintMismatchError: the catalogue holds vectors of another network.
        UnknownProductError: there is no such product.
        UnknownImageError: a photo is no file here.
    """
    searcher, photos = service.searcher(asked.collection), service.photos(asked.collection)
    with service.admission.admitted(explain.PASSES):
        with searcher.catalog.snapshot() as snapshot:
            searcher.require_photo_search(snapshot)
            images, vectors = _photos_of(snapshot, asked.result)
            own_images, own_vectors = _photos_of(snapshot, product_id)
        own, best, score = _nearest(own_vectors, vectors)
        query = _named(asked.collection, own_images[own])
        photo = _read(own_images[own], photos.limits)
        return _explained(photos, asked.collection, score, (query, photo), images[best])


def _photos_of(snapshot: CatalogSnapshot, product_id: str) -> tuple[list[catalog.Image], Vectors]:
    """The photos of a product, and their vectors in the same order."""
    images = {image.image_id: image for image in find_product(snapshot, product_id).images}
    ids, vectors = snapshot.vectors(list(images))
    return [images[image_id] for image_id in ids.tolist()], vectors


def _nearest(queries: Vectors, vectors: Vectors) -> tuple[int, int, float]:
    """Which of each are nearest to one another, and their score."""
    scores = queries.astype(np.float64) @ vectors.T
    query, best = divmod(int(scores.argmax()), len(vectors))
    return query, best, float(scores[query, best])


def _explained(
    photos: QueryPhotos,
    collection: str,
    score: float,
    query: tuple[Json, Picture.Image],
    result: catalog.Image,
) -> Json:
    described, photo = query
    best = _read(result, photos.limits)
    with photos.turn({"queue": 0.0}) as embedder:
        found = explain.explain(photo, best, embedder)
    return {
        "collection": collection,
        "score": round(score, 7),
        "query": {**described, "rows": _rows(found.query)},
        "result": {**_named(collection, result), "rows": _rows(found.result)},
    }


def _named(collection: str, image: catalog.Image) -> Json:
    box: Box | None = None
    return {"image": image.uri, "image_url": image_url(collection, image), "box": box}


def _read(image: catalog.Image, limits: ImageLimits) -> Picture.Image:
    path = Path(image.location)
    # What is not absolute is on the web, or the name that came with an imported vector.
    if not path.is_absolute():
        raise UnknownImageError(f"{image.uri!r} is not a file of this service; it cannot be shown")
    try:
        return decode(read_photo(path, limits), limits)
    except ImageError as error:
        raise UnknownImageError(f"{image.uri!r} cannot be read any more: {error}") from error


def _rows(grid: explain.Grid) -> list[list[float]]:
    """The grid with its largest value as 1."""
    rows: list[list[float]] = (grid / (grid.max() or 1)).round(4).tolist()
    return rows

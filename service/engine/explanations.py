"""Why a product is a result: where the query and the product's photo agree. No Flask in here."""

from typing import Any

import numpy as np
from PIL import Image as Picture

from indexer.arrays import Vector, Vectors
from indexer.embedding import attribution as explain
from indexer.embedding.regions import AUTO
from indexer.embedding.regions import PASSES as TO_LOCATE
from indexer.errors import BadParameterError, ImageError
from indexer.images import ImageLimits, crop, decode
from indexer.search import find_product, image_url
from indexer.store import Image, Reader
from service.api.schemas import ExplainParameters
from service.engine.collections import SearchService
from service.engine.query_photos import QueryPhotos
from service.errors import UnknownImageError

Json = dict[str, Any]


def passes(asked: ExplainParameters) -> int:
    """About how many passes of the model an explanation takes."""
    return explain.PASSES + (TO_LOCATE if asked.box == AUTO else 0)


def explain_photo(service: SearchService, photo: bytes, asked: ExplainParameters) -> Json:
    """The explanation of a result of the search with a photo, given as its file.

    Raises:
        ImageError: the photo cannot be used.
        BadParameterError: the box is none.
        FingerprintMismatchError: the catalogue holds vectors of another network.
        UnknownProductError: there is no such product.
        UnknownImageError: the photo of the result cannot be read any more.
        OverloadedError: too much is being answered.
    """
    searcher, photos = service.searcher(asked.collection), service.photos(asked.collection)
    with service.admission.costly():
        with searcher.store.reader() as reader:
            searcher.require_photo_search(reader)
            images, vectors = _photos_of(reader, asked.result)
        took_ms = {"decode": 0.0, "queue": 0.0, "embed": 0.0}
        queries, box = searcher.vectors_of([photo], asked.box, took_ms)
        _, best = _nearest(queries, vectors)
        image = decode(photo, photos.limits)
        part = image if box is None else crop(image, box)
        return {
            "collection": asked.collection,
            "score": _score(queries[0], vectors[best]),
            "query": {
                "image": None,
                "image_url": None,
                "box": box,
                "rows": _rows(photos, part, vectors[best]),
            },
            "result": _shown(service, asked.collection, images[best], queries[0]),
        }


def explain_product(service: SearchService, product_id: str, asked: ExplainParameters) -> Json:
    """The explanation of a result of the search with a product.

    Raises:
        BadParameterError: there is a box, which only a photo has.
        FingerprintMismatchError: the catalogue holds vectors of another network.
        UnknownProductError: there is no such product.
        UnknownImageError: a photo cannot be read any more.
        OverloadedError: too much is being answered.
    """
    if asked.box is not None:
        raise BadParameterError(
            f"box: received {asked.box!r} with product_id; it is a part of a photo: leave it out"
        )
    searcher = service.searcher(asked.collection)
    with service.admission.costly():
        with searcher.store.reader() as reader:
            searcher.require_photo_search(reader)
            images, vectors = _photos_of(reader, asked.result)
            own_images, own_vectors = _photos_of(reader, product_id)
        own, best = _nearest(own_vectors, vectors)
        return {
            "collection": asked.collection,
            "score": _score(own_vectors[own], vectors[best]),
            "query": _shown(service, asked.collection, own_images[own], vectors[best]),
            "result": _shown(service, asked.collection, images[best], own_vectors[own]),
        }


def _photos_of(reader: Reader, product_id: str) -> tuple[list[Image], Vectors]:
    """The photos of a product, and their vectors in the same order."""
    images = {image.image_id: image for image in find_product(reader, product_id).images}
    ids, vectors = reader.vectors(list(images))
    return [images[image_id] for image_id in ids.tolist()], vectors


def _nearest(queries: Vectors, vectors: Vectors) -> tuple[int, int]:
    """Which of each are nearest to one another."""
    return divmod(int((queries @ vectors.T).argmax()), len(vectors))


def _score(query: Vector, vector: Vector) -> float:
    return round(float(query.astype(np.float64) @ vector), 7)


def _shown(service: SearchService, collection: str, image: Image, other: Vector) -> Json:
    photos = service.photos(collection)
    data = service.originals.read(service.store(collection).catalog, image)
    picture = _decoded(data, image, photos.limits)
    return {
        "image": image.uri,
        "image_url": image_url(collection, image),
        "box": None,
        "rows": _rows(photos, picture, other),
    }


def _rows(photos: QueryPhotos, photo: Picture.Image, other: Vector) -> list[list[float]]:
    """Where a photo agrees with another one, given by its vector; the largest value is 1."""
    with photos.between({"queue": 0.0, "embed": 0.0}) as embedder:
        grid = explain.explain(photo, other, embedder)
    rows: list[list[float]] = (grid / (grid.max() or 1)).round(4).tolist()
    return rows


def _decoded(data: bytes, image: Image, limits: ImageLimits) -> Picture.Image:
    try:
        return decode(data, limits)
    except ImageError as error:
        raise UnknownImageError(f"{image.uri!r} cannot be read any more: {error}") from error

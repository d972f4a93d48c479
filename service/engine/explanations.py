"""Explains results: where the query and the photo of a product agree."""

from dataclasses import dataclass

import numpy as np
from PIL import Image as Picture

from indexer.arrays import Vector, Vectors
from indexer.embedding import attribution as explain
from indexer.embedding.regions import AUTO
from indexer.embedding.regions import PASSES as TO_LOCATE
from indexer.errors import BadParameterError, ImageError
from indexer.images import Box, ImageLimits, decode
from indexer.search import find_product
from indexer.store import Image, Reader
from service.engine.collections import SearchService
from service.engine.query_embedder import QueryEmbedder
from service.errors import UnknownImageError


@dataclass(frozen=True)
class HeatMap:
    """The contribution of each place of a photo to the similarity; the largest value is 1.

    Attributes:
        image: the photo; None if it came with the request.
        box: the part of the photo that `rows` covers; None is the whole photo.
        rows: from top to bottom, left to right.
    """

    image: Image | None
    box: Box | None
    rows: list[list[float]]


@dataclass(frozen=True)
class Explanation:
    """Where the query and the best-matching photo of the result agree."""

    score: float
    query: HeatMap
    result: HeatMap


def passes(box: str | None) -> int:
    """Returns the approximate number of passes of the model for an explanation."""
    return explain.PASSES + (TO_LOCATE if box == AUTO else 0)


def explain_photo(
    service: SearchService, collection: str, photo: bytes, result: str, box: str | None
) -> Explanation:
    """Explains the product `result` of a search by a photo, given as the bytes of its file.

    Raises:
        ImageError: the photo cannot be used.
        BadParameterError: invalid box.
        UnsupportedByModelError: the vector is not the mean of feature maps.
        FingerprintMismatchError: the catalogue holds vectors of another model.
        UnknownProductError: there is no such product.
        UnknownImageError: the photo of the result cannot be read any more.
        OverloadedError: too many requests are in progress.
    """
    searcher, embedder = service.searcher(collection), service.embedder(collection)
    embedder.batcher.embedder.required_cells()
    with service.admission.admit("costly"):
        with searcher.store.reader() as reader:
            searcher.require_photo_search(reader)
            images, vectors = _photos_of(reader, result)
        part = embedder.embed_part(photo, searcher.box(box))
        _, best = _nearest(part.vector[None], vectors)
        return Explanation(
            _score(part.vector, vectors[best]),
            HeatMap(None, part.box, _rows(embedder, part.picture, vectors[best])),
            _shown(service, collection, images[best], part.vector),
        )


def explain_product(
    service: SearchService, collection: str, product_id: str, result: str, box: str | None
) -> Explanation:
    """Explains the product `result` of a search by a product.

    Raises:
        BadParameterError: there is a box, which is for photos only.
        UnsupportedByModelError: the vector is not the mean of feature maps.
        FingerprintMismatchError: the catalogue holds vectors of another model.
        UnknownProductError: there is no such product.
        UnknownImageError: a photo cannot be read any more.
        OverloadedError: too many requests are in progress.
    """
    if box is not None:
        raise BadParameterError(
            f"box: received {box!r} with product_id; it is a part of a photo: leave it out"
        )
    searcher = service.searcher(collection)
    service.embedder(collection).batcher.embedder.required_cells()
    with service.admission.admit("costly"):
        with searcher.store.reader() as reader:
            searcher.require_photo_search(reader)
            images, vectors = _photos_of(reader, result)
            query_images, query_vectors = _photos_of(reader, product_id)
        query, best = _nearest(query_vectors, vectors)
        return Explanation(
            _score(query_vectors[query], vectors[best]),
            _shown(service, collection, query_images[query], vectors[best]),
            _shown(service, collection, images[best], query_vectors[query]),
        )


def _photos_of(reader: Reader, product_id: str) -> tuple[list[Image], Vectors]:
    """Returns the photos of a product, and their vectors in the same order."""
    images = {image.image_id: image for image in find_product(reader, product_id).images}
    ids, vectors = reader.vectors(list(images))
    return [images[image_id] for image_id in ids.tolist()], vectors


def _nearest(queries: Vectors, vectors: Vectors) -> tuple[int, int]:
    """Returns the indices of the nearest pair of vectors."""
    return divmod(int((queries @ vectors.T).argmax()), len(vectors))


def _score(query: Vector, vector: Vector) -> float:
    return round(float(query.astype(np.float64) @ vector), 7)


def _shown(service: SearchService, collection: str, image: Image, other: Vector) -> HeatMap:
    embedder = service.embedder(collection)
    data = service.originals.read(service.store(collection), image)
    picture = _decoded(data, image, embedder.limits)
    return HeatMap(image, None, _rows(embedder, picture, other))


def _rows(embedder: QueryEmbedder, photo: Picture.Image, other: Vector) -> list[list[float]]:
    """Returns where a photo agrees with the photo of a vector; the largest value is 1."""
    with embedder.when_idle() as model:
        grid = explain.explain(photo, other, model)
    rows: list[list[float]] = (grid / (grid.max() or 1)).round(4).tolist()
    return rows


def _decoded(data: bytes, image: Image, limits: ImageLimits) -> Picture.Image:
    try:
        return decode(data, limits)
    except ImageError as error:
        raise UnknownImageError(f"{image.uri!r} cannot be read any more: {error}") from error

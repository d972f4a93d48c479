"""Answering one query as JSON; knows no Flask."""

from indexer.embedding.regions import AUTO, PASSES
from indexer.search import Answer
from service.api.schemas import JsonQuery, Parameters
from service.engine.collections import SearchService
from service.errors import BadRequestError
from service.http.parsing import decoded

_SOURCES = ("image_base64", "image_url", "product_id")


def answer(service: SearchService, query: JsonQuery) -> Answer:
    """
    Raises:
        ImageSearchError: the query cannot be answered.
    """
    sent = [name for name in _SOURCES if getattr(query, name) is not None]
    if len(sent) > 1 or (not sent and not query.more_like):
        raise BadRequestError(
            f"received {' and '.join(sent) or 'none of these'}; send exactly one of"
            f" {', '.join(_SOURCES)}, or more_like alone"
        )
    if query.product_id is not None:
        searcher = service.searcher(query.collection)
        with service.admission.admitted():
            return searcher.by_product(query.product_id, query, include_itself=True)
    photos = []
    if query.image_base64 is not None:
        photos = [decoded(query.image_base64, "image_base64")]
    if query.image_url is not None:
        photos = [service.photo_at(query.image_url)]
    return by_photos(service, photos, query)


def by_photos(service: SearchService, photos: list[bytes], parameters: Parameters) -> Answer:
    """
    Raises:
        ImageSearchError: the query cannot be answered.
    """
    searcher = service.searcher(parameters.collection)
    admission = service.admission
    costly = bool(photos) and parameters.box == AUTO
    with admission.costly() if costly else admission.admitted(len(photos)):
        return searcher.by_photos(photos, parameters)


def passes(parameters: Parameters, photos: int) -> int:
    """About how many passes of the model a search by so many photos takes."""
    return photos * (PASSES if parameters.box == AUTO else 1)


def passes_of(query: JsonQuery) -> int:
    """The same of a search as JSON."""
    return passes(query, sum(photo is not None for photo in (query.image_base64, query.image_url)))


def similar(service: SearchService, product_id: str, parameters: Parameters) -> Answer:
    """
    Raises:
        ImageSearchError: the query cannot be answered.
    """
    searcher = service.searcher(parameters.collection)
    with service.admission.admitted():
        return searcher.by_product(product_id, parameters, include_itself=False)

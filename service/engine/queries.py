"""Searches under admission control, and their cost."""

from indexer.embedding.regions import AUTO, PASSES
from indexer.search import Answer, SearchParameters, search_by_photos
from service.engine import metrics
from service.engine.collections import SearchService


def by_photos(
    service: SearchService, collection: str, photos: list[bytes], parameters: SearchParameters
) -> Answer:
    """Finds the products that look most like any of the photos, or like `more_like`.

    Raises:
        ImageSearchError: the query cannot be answered.
    """
    searcher = service.searcher(collection)
    if photos and parameters.box == AUTO:
        admitted = service.admission.admit("costly")
    else:
        admitted = service.admission.admit("photo" if photos else "product", len(photos))
    with admitted:
        if not photos:
            return searcher.by_examples(parameters)
        return search_by_photos(searcher, service.embedder(collection), photos, parameters)


def by_product(
    service: SearchService,
    collection: str,
    product_id: str,
    parameters: SearchParameters,
    *,
    include_itself: bool,
) -> Answer:
    """Finds the products that look most like a product.

    Raises:
        ImageSearchError: the query cannot be answered.
    """
    searcher = service.searcher(collection)
    with service.admission.admit("product"):
        answer = searcher.by_product(product_id, parameters, include_itself=include_itself)
    metrics.BY_PRODUCT.labels("table" if answer.precomputed else "index").inc()
    return answer


def passes(box: str | None, photos: int) -> int:
    """Returns the approximate number of passes of the model for a search by this many photos."""
    return photos * (PASSES if box == AUTO else 1)

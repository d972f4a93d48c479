"""Answering one query as JSON; knows no Flask."""

import base64
import binascii

from indexer.errors import BadParameterError
from indexer.search import Answer
from service.errors import BadRequestError
from service.schemas import JsonQuery
from service.search import SearchService

_SOURCES = ("image_base64", "image_url", "product_id")


def answer(service: SearchService, query: JsonQuery) -> Answer:
    """
    Raises:
        ImageSearchError: the query cannot be answered.
    """
    sent = [name for name in _SOURCES if getattr(query, name) is not None]
    if len(sent) > 1 or (not sent and not query.more_like):
        raise BadRequestError(
            f"received {' and '.join(sent) or 'none of them'}; send exactly one of"
            f" {', '.join(_SOURCES)}, or more_like alone"
        )
    searcher = service.searcher(query.collection)
    if query.product_id is not None:
        return searcher.by_product(query.product_id, query, include_itself=True)
    photos = []
    if query.image_base64 is not None:
        photos = [_decoded(query.image_base64)]
    if query.image_url is not None:
        photos = [service.photo_at(query.image_url)]
    return searcher.by_photos(photos, query)


def _decoded(text: str) -> bytes:
    # Browsers give data URLs; what is before the comma only names the type.
    payload = text.partition(",")[2] if text.startswith("data:") else text
    try:
        return base64.b64decode(payload, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadParameterError(f"image_base64: not base64 ({error})") from None

"""Searches by photos and by a product."""

from hashlib import sha256
from typing import Annotated, Any

from flask import jsonify, request
from pydantic import Field
from werkzeug.wrappers import Response

from indexer import __version__
from indexer.config import DEFAULT_COLLECTION
from indexer.errors import FetchError
from indexer.search import Answer, Searcher
from indexer.validation import Matching
from service.access.guard import charge
from service.access.scopes import ScopedBlueprint
from service.api.answers import SearchResponse, noted
from service.api.paging import PagedParameters, at_cursor
from service.api.schemas import OF_BODY, OF_PHOTO, OF_SEARCH, Base64Photo
from service.engine import queries
from service.errors import (
    BadRequestError,
    ForbiddenError,
    ImageUrlDisabledError,
    StaleCursorError,
    UnsupportedMediaTypeError,
)
from service.http.caching import revalidated
from service.http.context import search_service
from service.http.descriptions import JSON, NOT_MODIFIED, Description, Form
from service.http.examples import QUERY, example
from service.http.parsing import decoded, json_body, received_type, unrepeated, uploaded, validated

MAX_PHOTOS = 8
_SOURCES = ("image_base64", "image_url", "product_id")

blueprint = ScopedBlueprint("search", __name__)

HttpUrl = Annotated[str, Matching("^[hH][tT][tT][pP][sS]?://", "an http:// or https:// URL")]


class Parameters(PagedParameters):
    """The parameters of every search."""

    collection: Annotated[str, Field(description="Section of the store to search.")] = (
        DEFAULT_COLLECTION
    )


# Parameters that may be repeated in a query string or a form.
REPEATABLE = {n for n, field in Parameters.model_fields.items() if isinstance(field.default, list)}


class JsonQuery(Parameters):
    """A search as JSON.

    It has exactly one of `image_base64`, `image_url` and `product_id`, or `more_like` alone.
    """

    model_config = example(QUERY)

    image_base64: Base64Photo = None
    image_url: Annotated[
        HttpUrl | None,
        Field(
            max_length=2000,
            description="URL of a photo, on a host that service.image_url_hosts allows.",
        ),
    ] = None
    product_id: Annotated[str | None, Field(description="The product to search with.")] = None


_PHOTOS: dict[str, Any] = {
    "type": "array",
    "items": {"type": "string", "format": "binary"},
    "minItems": 1,
    "maxItems": MAX_PHOTOS,
    "description": "Photos; a product's score is its best to any of them.",
}


@blueprint.post(
    "/v1/search",
    scope="search",
    description=Description(
        "search",
        {200: SearchResponse},
        query=Parameters,
        body={"multipart/form-data": Form(Parameters, _PHOTOS), JSON: JsonQuery},
        raises=(
            *OF_SEARCH,
            StaleCursorError,
            *OF_PHOTO,
            *OF_BODY,
            FetchError,
            ForbiddenError,
            ImageUrlDisabledError,
        ),
    ),
)
def search() -> Response:
    """Find the products that look most like a photo, or like a product."""
    with search_service().admission.admit("upload"):
        if request.mimetype == "multipart/form-data":
            return jsonify(_by_upload())
        if request.mimetype == JSON:
            query = at_cursor(validated(JsonQuery, in_url(), json_body()))
            charge(passes(query))
            return jsonify(noted(answer(query), query))
    raise UnsupportedMediaTypeError(
        f"received {received_type()}; send multipart/form-data with a file `image`, or"
        " application/json"
    )


@blueprint.get(
    "/v1/products/<product_id:product_id>/similar",
    scope="search",
    description=Description(
        "getSimilarProducts",
        {200: SearchResponse, 304: NOT_MODIFIED},
        query=Parameters,
        without=("box",),
        raises=(*OF_SEARCH, StaleCursorError),
    ),
)
def similar(product_id: str) -> Response:
    """Find the products that look most like this one, without the product itself."""
    parameters = at_cursor(validated(Parameters, in_url()))
    service = search_service()
    searcher = service.searcher(parameters.collection)
    with searcher.store.reader() as reader:
        seq, etag = reader.seq, _etag(searcher, reader.version)
    tags = request.if_none_match
    if not tags.star_tag and tags.contains_weak(etag):  # `*` matches only what exists
        return revalidated(Response(), etag, weak=True, private=True)
    found = queries.by_product(
        service, parameters.collection, product_id, parameters, include_itself=False
    )
    response = jsonify(noted(found, parameters))
    if found.seq != seq:  # the catalogue has changed in between
        return response
    return revalidated(response, etag, weak=True, private=True)


def _etag(searcher: Searcher, version: str) -> str:
    """Stands for a ranking: `query_id` and `took_ms` differ in answers with the same one."""
    decisive = (__version__, version, searcher.hides_out_of_stock, request.full_path)
    return sha256(repr(decisive).encode()).hexdigest()[:32]


def _by_upload() -> dict[str, Any]:
    photos = uploaded(MAX_PHOTOS)
    parameters = at_cursor(validated(Parameters, in_url(), unrepeated(request.form, REPEATABLE)))
    charge(queries.passes(parameters.box, len(photos)))
    found = queries.by_photos(search_service(), parameters.collection, photos, parameters)
    return noted(found, parameters)


def answer(query: JsonQuery) -> Answer:
    """Answers a query in JSON.

    Raises:
        ImageSearchError: the query cannot be answered.
    """
    service = search_service()
    sent = [name for name in _SOURCES if getattr(query, name) is not None]
    if len(sent) > 1 or (not sent and not query.more_like):
        raise BadRequestError(
            f"received {' and '.join(sent) or 'none of these'}; send exactly one of"
            f" {', '.join(_SOURCES)}, or more_like alone"
        )
    if query.product_id is not None:
        return queries.by_product(
            service, query.collection, query.product_id, query, include_itself=True
        )
    photos = []
    if query.image_base64 is not None:
        photos = [decoded(query.image_base64, "image_base64")]
    if query.image_url is not None:
        photos = [service.photo_at(query.image_url)]
    return queries.by_photos(service, query.collection, photos, query)


def passes(query: JsonQuery) -> int:
    """Returns about how many passes of the model a query takes."""
    photos = sum(photo is not None for photo in (query.image_base64, query.image_url))
    return queries.passes(query.box, photos)


def in_url() -> dict[str, Any]:
    """Returns the parameters of a search in the query string.

    Raises:
        BadParameterError: one of them is repeated, or is not UTF-8.
    """
    return unrepeated(request.args, REPEATABLE)

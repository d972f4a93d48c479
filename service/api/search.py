"""Searches: by photos, by a product, and several at once."""

from typing import Annotated, Any

from flask import Response, g, jsonify, request
from pydantic import BaseModel, ConfigDict, Field, SkipValidation

from indexer.config import DEFAULT_COLLECTION
from indexer.errors import BadParameterError, FetchError, ImageSearchError
from indexer.search import Answer, SearchParameters
from indexer.validation import Matching, shown
from service.access.guard import charge
from service.access.scopes import ScopedBlueprint
from service.api.events import note
from service.api.images import image_url
from service.api.schemas import OF_BODY, OF_PHOTO, OF_SEARCH, Base64Photo, Corners
from service.engine import metrics, queries
from service.errors import (
    BadRequestError,
    ForbiddenError,
    ImageUrlDisabledError,
    OverloadedError,
    UnsupportedMediaTypeError,
)
from service.http.context import search_service
from service.http.descriptions import JSON, Description, Form
from service.http.parsing import decoded, json_body, received_type, unrepeated, validated
from service.http.problems import Problem, problem_of

MAX_PHOTOS = 8
MAX_BATCH = 32
MAX_BATCH_PRODUCTS = 1000
_SOURCES = ("image_base64", "image_url", "product_id")

blueprint = ScopedBlueprint("search", __name__)

HttpUrl = Annotated[str, Matching("^[hH][tT][tT][pP][sS]?://", "an http:// or https:// URL")]


class Parameters(SearchParameters):
    """The parameters of every search."""

    collection: Annotated[str, Field(description="Section of the store to search.")] = (
        DEFAULT_COLLECTION
    )


# A query string or a form may name these several times.
REPEATABLE = {n for n, field in Parameters.model_fields.items() if isinstance(field.default, list)}


class JsonQuery(Parameters):
    """A search as JSON.

    It has exactly one of `image_base64`, `image_url` and `product_id`, or `more_like` alone.
    """

    image_base64: Base64Photo = None
    image_url: Annotated[
        HttpUrl | None,
        Field(
            max_length=2000,
            description="Address of a photo, on a host that service.image_url_hosts names.",
        ),
    ] = None
    product_id: Annotated[str | None, Field(description="A product to find similar ones to.")] = (
        None
    )


class BatchQuery(BaseModel):
    """Several searches; each is answered on its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    queries: Annotated[
        list[SkipValidation[JsonQuery]],
        Field(
            min_length=1,
            max_length=MAX_BATCH,
            description=f"What to search for. The sum of `limit` (10 where a query has none) is at"
            f" most {MAX_BATCH_PRODUCTS:,}.",
        ),
    ]


class TookMs(BaseModel):
    """Milliseconds per stage."""

    decode: float
    queue: float = Field(description="Waiting for the model.")
    embed: float
    search: float


class Result(BaseModel):
    """A product and the photo of it that matched best."""

    product_id: str
    score: float = Field(description="Cosine similarity, -1 to 1; higher is closer.")
    distance: float = Field(description="1 - score.")
    image: str = Field(description="The photo as the merchant named it.")
    image_url: str = Field(description="Where the photo is: an address, or a path of this service.")
    attributes: dict[str, Any] = Field(
        description="Text, numbers and booleans; a list or an object is JSON text."
    )
    boost: float | None = Field(
        None, description="What `boost` added for the ranking; absent if the query had none."
    )


class FacetValue(BaseModel):
    """A value of an attribute, and how many matching products have it."""

    value: str | float | bool
    count: int


class SearchResponse(BaseModel):
    """One page of a ranking: by falling score and boost, equal ones by product_id."""

    query_id: str
    collection: str
    seq: int = Field(
        description="The state of the catalogue that was searched; pages of equal `seq` join."
    )
    total: int = Field(description="Products in the whole ranking, before `dedup` leaves any out.")
    box: Corners | None = Field(
        default=None,
        description="Where `box` was sent: the part of the first photo that was searched with;"
        " null if `auto` took all of it.",
    )
    took_ms: TookMs
    results: list[Result]
    facets: dict[str, list[FacetValue]] | None = Field(
        None,
        description="By attribute, the 50 most frequent values; absent if the query had no"
        " `facets`.",
    )


class BatchResponse(BaseModel):
    """The answer or the problem of each query, in their order."""

    answers: list[SearchResponse | Problem]


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
    with search_service().admission.upload():
        if request.mimetype == "multipart/form-data":
            return jsonify(_noted(_by_upload()))
        if request.mimetype == JSON:
            query = validated(JsonQuery, _in_url(), json_body())
            charge(_passes(query))
            return jsonify(_noted(_answer(query)))
    raise UnsupportedMediaTypeError(
        f"received {received_type()}; send multipart/form-data with a file `image`, or"
        " application/json"
    )


@blueprint.post(
    "/v1/search/batch",
    scope="search",
    description=Description(
        "searchBatch",
        {200: BatchResponse},
        body={JSON: BatchQuery},
        raises=(BadParameterError, *OF_BODY, OverloadedError),
    ),
)
def search_batch() -> Response:
    """Answer up to 32 searches; a problem of one stops no other."""
    with search_service().admission.upload():
        batch = validated(BatchQuery, _in_url(), json_body())
        asked = [_query_or_error(query) for query in batch.queries]
        valid = [query for query in asked if isinstance(query, JsonQuery)]
        products = sum(query.limit for query in valid)
        if products > MAX_BATCH_PRODUCTS:
            raise BadParameterError(
                f"queries: received limits that add up to {products}; at most"
                f" {MAX_BATCH_PRODUCTS} products per batch"
            )
        charge(sum(max(1, _passes(query)) for query in valid))
        with search_service().admission.batch():
            return jsonify(answers=[_answer_or_problem(query) for query in asked])


@blueprint.get(
    "/v1/products/<product_id:product_id>/similar",
    scope="search",
    description=Description(
        "getSimilarProducts",
        {200: SearchResponse},
        query=Parameters,
        without=("box",),
        raises=OF_SEARCH,
    ),
)
def similar(product_id: str) -> Response:
    """The products that look most like this one, itself excluded."""
    parameters = validated(Parameters, _in_url())
    answer = queries.by_product(
        search_service(), parameters.collection, product_id, parameters, include_itself=False
    )
    return jsonify(_noted(answer))


def uploaded(limit: int) -> list[bytes]:
    """The photos that were sent as files.

    Raises:
        BadParameterError: there are other files.
        BadRequestError: there are none, or too many.
    """
    if unknown := set(request.files) - {"image"}:
        raise BadParameterError(f"unknown file {min(unknown)!r}; send photos as `image`")
    photos = [file.read() for file in request.files.getlist("image")]
    if not 1 <= len(photos) <= limit:
        wanted = "one photo" if limit == 1 else f"1 to {limit} photos"
        raise BadRequestError(f"received {len(photos)} files named `image`; send {wanted}")
    return photos


def _by_upload() -> Answer:
    photos = uploaded(MAX_PHOTOS)
    parameters = validated(Parameters, _in_url(), unrepeated(request.form, REPEATABLE))
    charge(queries.passes(parameters.box, len(photos)))
    return queries.by_photos(search_service(), parameters.collection, photos, parameters)


def _answer(query: JsonQuery) -> Answer:
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


def _passes(query: JsonQuery) -> int:
    photos = sum(photo is not None for photo in (query.image_base64, query.image_url))
    return queries.passes(query.box, photos)


def _query_or_error(query: object) -> JsonQuery | ImageSearchError:
    try:
        if not isinstance(query, dict):
            raise BadRequestError(f"received {shown(query)}; each query must be an object")
        return validated(JsonQuery, query)
    except ImageSearchError as error:
        return error


def _answer_or_problem(query: JsonQuery | ImageSearchError) -> dict[str, Any]:
    try:
        if isinstance(query, ImageSearchError):
            raise query
        return _noted(_answer(query))
    except ImageSearchError as error:
        return problem_of(error)


def _in_url() -> dict[str, Any]:
    return unrepeated(request.args, REPEATABLE)


def _noted(answer: Answer) -> dict[str, Any]:
    """The document of an answer, which is counted and recorded."""
    answer = note(answer)
    metrics.observe_stages(answer.took_ms)
    document = answer.document(image_url)
    g.log_fields = {key: document[key] for key in ("query_id", "collection", "seq", "took_ms")}
    return document

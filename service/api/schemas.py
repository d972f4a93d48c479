"""What requests and answers look like: validated on the way in, documented in /openapi.json."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, SkipValidation

from indexer.config import DEFAULT_COLLECTION
from indexer.search import BoxText, SearchParameters
from indexer.wording import Matching

# x1, y1, x2, y2 as fractions of a photo's sides.
Corners = Annotated[list[float], Field(min_length=4, max_length=4)]

HttpUrl = Annotated[str, Matching("^[hH][tT][tT][pP][sS]?://", "an http:// or https:// URL")]

MAX_PHOTOS = 8
MAX_BATCH = 32


class Parameters(SearchParameters):
    """The parameters of every search."""

    collection: Annotated[str, Field(description="Section of the store to search.")] = (
        DEFAULT_COLLECTION
    )


# A query string or a form may name these several times.
REPEATABLE = {n for n, field in Parameters.model_fields.items() if isinstance(field.default, list)}


class JsonQuery(Parameters):
    """A search as JSON, with exactly one of `image_base64`, `image_url` and `product_id`, or with
    `more_like` alone."""

    image_base64: Annotated[
        str | None, Field(description="A photo: the bytes of its file in base64.")
    ] = None
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
        Field(min_length=1, max_length=MAX_BATCH, description="What to search for."),
    ]


class CollectionQuery(BaseModel):
    """The one parameter of requests that do not search."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    collection: Annotated[str, Field(description="Section of the store.")] = DEFAULT_COLLECTION


class ExplainParameters(CollectionQuery):
    """Which result is to be explained."""

    result: Annotated[str, Field(description="The product_id of the result to explain.")]
    box: BoxText = None


class ExplainQuery(ExplainParameters):
    """The query as JSON, with exactly one of `image_base64` and `product_id`."""

    image_base64: Annotated[
        str | None, Field(description="A photo: the bytes of its file in base64.")
    ] = None
    product_id: Annotated[str | None, Field(description="A product as the query.")] = None


class TookMs(BaseModel):
    """Milliseconds per stage."""

    decode: float
    queue: float = Field(description="Waiting for the network.")
    embed: float
    search: float


class Result(BaseModel):
    """A product and the photo of it that matched best."""

    product_id: str
    score: float = Field(description="Cosine similarity, -1 to 1; higher is closer.")
    distance: float = Field(description="1 - score.")
    image: str = Field(description="The photo as the merchant named it.")
    image_url: str = Field(description="Where the photo is: an address, or a path of this service.")
    attributes: dict[str, Any]
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


class HeatMap(BaseModel):
    """How much each place of a photo adds to the similarity."""

    image: str | None = Field(description="The photo as the merchant named it; null if sent.")
    image_url: str | None
    box: Corners | None = Field(
        description="The part of the photo that the rows cover; null if it is all."
    )
    rows: list[list[Annotated[float, Field(ge=0, le=1)]]] = Field(
        description="From top to bottom, left to right; the place that adds most has 1."
    )


class ExplainResponse(BaseModel):
    """Where the query and the photo of the result that matched it best agree."""

    collection: str
    score: float = Field(description="Cosine similarity, as in a search.")
    query: HeatMap
    result: HeatMap


class ProductImage(BaseModel):
    """A photo of a product."""

    image: str
    image_url: str


class ProductResponse(BaseModel):
    """A product as stored."""

    product_id: str
    collection: str
    attributes: dict[str, Any]
    images: list[ProductImage]


class Health(BaseModel):
    """The process answers."""

    status: str


class CollectionReadiness(BaseModel):
    """`status` is one of `ready`, `starting`, `missing`, `failed`, `mismatch` and `stopping`.

    `detail` explains every status but `ready`; if that comes with a detail, the catalogue is empty.
    """

    name: str
    status: str
    detail: str
    products: int
    seq: int
    weights: str
    trained: bool = Field(description="False: random weights for tests, rankings mean little.")
    photo_search: bool = Field(description="False: vectors of another network; use product ids.")


class Readiness(BaseModel):
    """`ready` once every collection is; otherwise the worst status of one."""

    status: str
    collections: list[CollectionReadiness]


class Problem(BaseModel):
    """RFC 9457. `code` is stable; `title` names the kind of problem and `detail` says what is
    wrong, both for people."""

    type: str
    title: str
    status: int
    detail: str
    code: str


class BatchResponse(BaseModel):
    """The answer or the problem of each query, in their order."""

    answers: list[SearchResponse | Problem]

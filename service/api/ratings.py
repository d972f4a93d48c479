"""Judgements of result lists by people who do not know what found them."""

import time
from typing import Annotated, Any

from flask import Flask, Response, current_app, jsonify, request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from indexer.config import DEFAULT_COLLECTION, Settings
from indexer.errors import BadParameterError, DiskFullError, ReadOnlyError
from indexer.events import (
    MAX_PRODUCT_ID,
    RATER,
    Grade,
    RatedQuery,
    Rating,
    RatingsError,
    RatingsFullError,
    RatingStore,
    rater_name,
)
from indexer.search import image_url
from indexer.store import Product
from indexer.validation import Matching
from service.access.guard import charge
from service.access.scopes import ScopedBlueprint
from service.api.schemas import OF_BODY, OF_COLLECTION, OF_PHOTO, OF_SEARCH
from service.engine import rating
from service.engine.rating import Pool, Samples
from service.errors import OverloadedError
from service.http.context import search_service
from service.http.descriptions import JSON, Description, Form
from service.http.parsing import json_body, require_no_query, unrepeated, uploaded, validated

MAX_RATINGS = 500
# So many ratings with the longest ids, as JSON that escapes all that is not ASCII.
MAX_BYTES = 8 * 1024 * 1024
_MAX_IMAGES = 4

blueprint = ScopedBlueprint("ratings", __name__)

ProductId = Annotated[str, Field(min_length=1, max_length=MAX_PRODUCT_ID)]
Rater = Annotated[
    str,
    Matching(RATER, "a name of 1 to 40 letters, digits, spaces, dots and dashes"),
    AfterValidator(rater_name),
    Field(description="Name or initials of who judges; case does not matter."),
]


class Study(BaseModel):
    """The collections whose results are judged."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    collection: Annotated[str, Field(description="Section of the store.")] = DEFAULT_COLLECTION
    compare: Annotated[
        str | None, Field(description="A second collection, whose results are mixed with these.")
    ] = None

    @model_validator(mode="after")
    def _are_different(self) -> "Study":
        if self.compare == self.collection:
            raise ValueError(f"compare: received {self.compare!r}, which is also the collection")
        return self

    @property
    def collections(self) -> list[str]:
        """Their names, in an order that does not depend on the request."""
        return sorted(name for name in (self.collection, self.compare) if name is not None)


class SampleParameters(Study):
    """Which products to take as queries."""

    limit: Annotated[int, Field(ge=1, le=1000, description="Number of queries.")] = 50
    seed: Annotated[int, Field(ge=0, le=2**32 - 1, description="Seed of the random sample.")] = 0


class PoolParameters(Study):
    """What to judge, and who does."""

    rater: Rater
    depth: Annotated[int, Field(ge=1, le=50, description="Results of each collection.")] = 10


class PoolQuery(PoolParameters):
    """A product as the query."""

    product_id: Annotated[str, Field(description="The product to find similar ones to.")]


class SampledQuery(BaseModel):
    """A product to search from."""

    product_id: str


class SampleResponse(BaseModel):
    """Random products that all collections have, for every rater the same."""

    queries: list[SampledQuery]


class RatedProduct(BaseModel):
    """A product to judge, or to judge others by."""

    product_id: str
    title: str | None
    image_urls: list[str] = Field(description="Its first four photos.")


class Candidate(RatedProduct):
    """A product to judge."""

    grade: Grade | None = Field(description="This rater's grade; null if unrated.")


class PoolResponse(BaseModel):
    """What to judge. Nothing in it depends on which collection found a product, or at which rank.

    `query_product_id` or `query_photo` is for `POST /v1/ratings`.
    """

    query_product_id: str | None
    query_photo: str | None = Field(description="SHA-256 of the photo.")
    query: RatedProduct | None = Field(description="The product searched from; null for a photo.")
    candidates: list[Candidate] = Field(description="Shuffled, for each rater differently.")


class RatingBody(BaseModel):
    """How well a product matches a query. It replaces the rater's earlier grade for both."""

    model_config = ConfigDict(extra="forbid")

    rater: Rater
    query_product_id: Annotated[
        ProductId | None, Field(description="Of the query, if that is a product.")
    ] = None
    query_photo: Annotated[
        Annotated[str, Matching("^[0-9a-f]{64}$", "a SHA-256 (64 hexadecimal digits)")] | None,
        Field(description="SHA-256 of the file of the query, if that is a photo."),
    ] = None
    product_id: Annotated[ProductId, Field(description="The product that is judged.")]
    grade: Annotated[
        Grade | None, Field(description="How well it matches; null withdraws the judgement.")
    ]

    @model_validator(mode="after")
    def _has_one_query(self) -> "RatingBody":
        if (self.query_product_id is None) == (self.query_photo is None):
            raise ValueError("send exactly one of query_product_id and query_photo")
        return self

    def rating(self, at: int) -> Rating:
        if self.query_product_id is not None:
            query = RatedQuery("product", self.query_product_id)
        else:
            query = RatedQuery("photo", self.query_photo or "")
        return Rating(query, self.product_id, self.rater, self.grade, at)


class RatingsBody(BaseModel):
    """Several judgements, in their order; if one is wrong, none is stored."""

    model_config = ConfigDict(extra="forbid")

    ratings: Annotated[
        list[RatingBody], Field(fail_fast=True, min_length=1, max_length=MAX_RATINGS)
    ]


_PHOTO: dict[str, Any] = {
    "type": "string",
    "format": "binary",
    "description": "The photo of the query.",
}
_OF_RATINGS = (RatingsError, RatingsFullError, DiskFullError, ReadOnlyError)


def register(app: Flask, settings: Settings) -> None:
    """Gives the application the file of the judgements, and the samples of queries."""
    app.extensions["ratings"] = RatingStore(settings.storage.data_dir, settings.ratings.max_mib)
    app.extensions["rating_samples"] = Samples()


@blueprint.get(
    "/v1/ratings/queries",
    scope="rate",
    description=Description(
        "getRatingQueries",
        {200: SampleResponse},
        query=SampleParameters,
        raises=(*OF_COLLECTION, OverloadedError),
    ),
)
def sample() -> Response:
    """Random products to search from, for judging the results."""
    asked = validated(SampleParameters, unrepeated(request.args))
    samples: Samples = current_app.extensions["rating_samples"]
    sampled = samples.of(search_service(), asked.collections, asked.limit, asked.seed)
    return jsonify(queries=[{"product_id": product_id} for product_id in sampled])


@blueprint.post(
    "/v1/ratings/candidates",
    scope="rate",
    description=Description(
        "getRatingCandidates",
        {200: PoolResponse},
        body={"multipart/form-data": Form(PoolParameters, _PHOTO), JSON: PoolQuery},
        raises=(*OF_SEARCH, *OF_PHOTO, *OF_BODY, *_OF_RATINGS),
    ),
)
def candidates() -> Response:
    """The results of a query, for judging: those of all collections, shuffled."""
    require_no_query()
    service = search_service()
    with service.admission.admit("upload"):
        if request.mimetype == "multipart/form-data":
            (photo,) = uploaded(limit=1)
            asked = validated(PoolParameters, unrepeated(request.form))
            charge(len(asked.collections))
            pool = rating.pool_of_photo(service, asked.collections, photo, asked.depth, asked.rater)
        else:
            asked = query = validated(PoolQuery, json_body())
            charge(len(asked.collections))
            pool = rating.pool_of_product(
                service, asked.collections, query.product_id, asked.depth, asked.rater
            )
    return _shown(pool, asked)


@blueprint.post(
    "/v1/ratings",
    scope="rate",
    description=Description(
        "addRatings",
        {204: {"description": "Stored."}},
        body={JSON: {"anyOf": [RatingBody, RatingsBody]}},
        raises=(BadParameterError, *OF_BODY, *_OF_RATINGS),
    ),
)
def add() -> tuple[str, int]:
    """Store how well products match a query: durable when answered."""
    require_no_query()
    document = json_body(max_bytes=MAX_BYTES)
    if isinstance(document, dict) and "ratings" in document:
        bodies = validated(RatingsBody, document).ratings
    else:
        bodies = [validated(RatingBody, document)]
    charge(len(bodies))
    at = int(time.time())
    _store().add([body.rating(at) for body in bodies])
    return "", 204


def _shown(pool: Pool, asked: PoolParameters) -> Response:
    grades = _store().grades(pool.query, asked.rater)
    collection = asked.collections[0]
    return jsonify(
        query_product_id=pool.query.id if pool.product else None,
        query_photo=None if pool.product else pool.query.id,
        query=pool.product and _product(pool.product, collection),
        candidates=[
            {**_product(product, collection), "grade": grades.get(product.product_id)}
            for product in pool.candidates
        ],
    )


def _product(product: Product, collection: str) -> dict[str, Any]:
    title = product.attributes.get("title")
    images = product.images[:_MAX_IMAGES]
    return {
        "product_id": product.product_id,
        "title": None if title is None else str(title),
        "image_urls": [image_url(collection, image) for image in images],
    }


def _store() -> RatingStore:
    store: RatingStore = current_app.extensions["ratings"]
    return store

"""Answers of searches: their models, and recording them."""

from typing import Any

from flask import g
from pydantic import BaseModel, Field

from indexer.search import Answer
from service.api.events import note
from service.api.paging import PagedParameters, paged
from service.api.schemas import Corners, ThumbnailUrl
from service.engine import metrics
from service.http.examples import ANSWER, example


class TookMs(BaseModel):
    """Milliseconds per stage."""

    decode: float
    queue: float = Field(description="Wait for the model.")
    embed: float
    search: float


class Result(BaseModel):
    """A product and its best-matching photo."""

    product_id: str
    score: float = Field(description="Cosine similarity, -1 to 1; higher is closer.")
    distance: float = Field(description="1 - score.")
    image: str = Field(description="The photo as the merchant named it.")
    image_url: str = Field(description="URL of the photo, or a path of this service.")
    thumbnail_url: ThumbnailUrl
    attributes: dict[str, Any] = Field(
        description="Text, numbers and booleans; a list or an object is JSON text."
    )
    boost: float | None = Field(
        None, description="What `boost` added to the score for ranking; absent without `boost`."
    )


class FacetValue(BaseModel):
    """A value of an attribute, and the number of matching products that have it."""

    value: str | float | bool
    count: int


class SearchResponse(BaseModel):
    """One page of a ranking: by descending score plus boost, then by product_id."""

    model_config = example(ANSWER)

    query_id: str
    collection: str
    seq: int = Field(
        description="State of the searched catalogue; pages with equal `seq` form one ranking."
    )
    total: int = Field(description="Number of products in the ranking, before `dedup` removes any.")
    box: Corners | None = Field(
        default=None,
        description="If `box` was sent: the part of the first photo that was used; null if `auto`"
        " chose the whole photo.",
    )
    took_ms: TookMs
    results: list[Result]
    next: str | None = Field(description="Cursor of the next page; null after the last one.")
    estimated: bool | None = Field(
        None,
        description="True if `facets`, and `total` with `group_by`, are estimated from a sample of"
        " the products; absent otherwise. Only a large collection in Milvus estimates.",
    )
    facets: dict[str, list[FacetValue]] | None = Field(
        None,
        description="The 50 most frequent values of each attribute; absent without `facets`.",
    )


def noted(answer: Answer, parameters: PagedParameters) -> dict[str, Any]:
    """Counts and records an answer; returns its document.

    Raises:
        StaleCursorError: the catalogue has changed since the page before.
    """
    pages = paged(answer, parameters)
    answer = note(answer)
    metrics.observe_stages(answer.took_ms)
    document = answer.document() | pages
    g.log_fields = {key: document[key] for key in ("query_id", "collection", "seq", "took_ms")}
    return document

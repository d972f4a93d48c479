"""The answer of a search: its models, and what is recorded with it."""

from typing import Any

from flask import g
from pydantic import BaseModel, Field

from indexer.search import Answer
from service.api.events import note
from service.api.schemas import Corners
from service.engine import metrics


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


def noted(answer: Answer) -> dict[str, Any]:
    """Counts and records an answer; returns its document."""
    answer = note(answer)
    metrics.observe_stages(answer.took_ms)
    document = answer.document()
    g.log_fields = {key: document[key] for key in ("query_id", "collection", "seq", "took_ms")}
    return document

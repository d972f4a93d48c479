"""Several searches in one request."""

from typing import Annotated, Any

from flask import Response, jsonify
from pydantic import BaseModel, ConfigDict, Field, SkipValidation

from indexer.errors import BadParameterError, ImageSearchError
from indexer.validation import shown
from service.access.guard import charge
from service.access.scopes import ScopedBlueprint
from service.api.answers import SearchResponse, noted
from service.api.paging import at_cursor
from service.api.schemas import OF_BODY
from service.api.search import JsonQuery, answer, in_url, passes
from service.errors import BadRequestError, OverloadedError
from service.http.context import search_service
from service.http.descriptions import JSON, Description
from service.http.parsing import json_body, validated
from service.http.problems import Problem, problem_of

MAX_BATCH = 32
MAX_BATCH_PRODUCTS = 1000

blueprint = ScopedBlueprint("batch", __name__)


class BatchQuery(BaseModel):
    """Several searches, answered independently."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    queries: Annotated[
        list[SkipValidation[JsonQuery]],
        Field(
            min_length=1,
            max_length=MAX_BATCH,
            description=f"The searches. The sum of `limit` (10 for a query without one) is at"
            f" most {MAX_BATCH_PRODUCTS:,}.",
        ),
    ]


class BatchResponse(BaseModel):
    """The answer or the problem of each query, in order."""

    answers: list[SearchResponse | Problem]


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
    """Answer up to 32 searches; a problem in one does not affect the others."""
    with search_service().admission.admit("upload"):
        batch = validated(BatchQuery, in_url(), json_body())
        asked = [_query_or_error(query) for query in batch.queries]
        valid = [query for query in asked if isinstance(query, JsonQuery)]
        products = sum(query.limit for query in valid)
        if products > MAX_BATCH_PRODUCTS:
            raise BadParameterError(
                f"queries: received limits that add up to {products}; at most"
                f" {MAX_BATCH_PRODUCTS} products per batch"
            )
        charge(sum(max(1, passes(query)) for query in valid))
        with search_service().admission.admit("batch"):
            return jsonify(answers=[_answer_or_problem(query) for query in asked])


def _query_or_error(query: object) -> JsonQuery | ImageSearchError:
    try:
        if not isinstance(query, dict):
            raise BadRequestError(f"received {shown(query)}; each query must be an object")
        return at_cursor(validated(JsonQuery, query))
    except ImageSearchError as error:
        return error


def _answer_or_problem(query: JsonQuery | ImageSearchError) -> dict[str, Any]:
    try:
        if isinstance(query, ImageSearchError):
            raise query
        return noted(answer(query), query)
    except ImageSearchError as error:
        return problem_of(error)

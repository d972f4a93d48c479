"""Health, readiness, collections and metrics."""

from dataclasses import asdict, replace
from http import HTTPStatus

from flask import Response, jsonify
from pydantic import BaseModel, Field
from werkzeug.wrappers import Response as BaseResponse

from service.access.scopes import ScopedBlueprint
from service.engine import metrics
from service.http.caching import revalidated
from service.http.context import search_service
from service.http.descriptions import NOT_MODIFIED, Description, json_answer
from service.http.parsing import require_no_query
from service.server.lifecycle import siblings, stopping

blueprint = ScopedBlueprint("status", __name__)


class Health(BaseModel):
    """The process answers."""

    status: str


class CollectionReadiness(BaseModel):
    """`status` is `ready`, `starting`, `missing`, `failed`, `no_model`, `mismatch` or `stopping`.

    `no_model`: the model cannot be loaded; `mismatch`: the vectors were made with other embedding
    settings. In both, searches by product are answered and searches by photo are refused. `detail`
    explains every status but `ready`; if that comes with a detail, the catalogue is empty.
    """

    name: str
    status: str
    detail: str
    products: int
    seq: int
    weights: str = Field(description="Of the stored vectors; of the settings if there are none.")
    trained: bool = Field(
        description="False: the vectors are of random weights, for tests; rankings are meaningless."
    )
    photo_search: bool = Field(description="False: search by product ids.")


class CollectionSummary(BaseModel):
    """A collection. `status` is as in `/readyz`."""

    name: str
    status: str
    products: int
    seq: int = Field(description="State of the catalogue.")
    photo_search: bool = Field(description="False: search by product ids.")


class CollectionsResponse(BaseModel):
    """The collections of the service, by name."""

    collections: list[CollectionSummary]


class Readiness(BaseModel):
    """`ready` once every collection is; otherwise the worst status of one.

    The status code is 200 if every collection is `ready` or in a `mismatch`.
    """

    status: str
    collections: list[CollectionReadiness]


@blueprint.get("/healthz", scope=None, description=Description("getHealth", {200: Health}))
def healthz() -> Response:
    """Check whether the process answers."""
    return jsonify(status="ok")


@blueprint.get(
    "/readyz",
    scope=None,
    description=Description(
        "getReadiness",
        {
            200: Readiness,
            503: json_answer("At least one collection is not ready.", Readiness),
        },
    ),
)
def readyz() -> tuple[Response, HTTPStatus]:
    """Check whether every collection can be searched."""
    states = search_service().states()
    if stopping.is_set():
        states = [replace(state, status="stopping", detail="told to stop") for state in states]
    elif not siblings.all_tried:
        told = "another process of the service is being started"
        states = [
            replace(state, status="starting", detail=told) if state.ready else state
            for state in states
        ]
    worst = min(states, key=lambda state: (state.ready, state.status == "ready"))
    code = HTTPStatus.OK if worst.ready else HTTPStatus.SERVICE_UNAVAILABLE
    return jsonify(status=worst.status, collections=[asdict(state) for state in states]), code


@blueprint.get(
    "/v1/collections",
    scope="search",
    description=Description("listCollections", {200: CollectionsResponse, 304: NOT_MODIFIED}),
)
def collections() -> BaseResponse:
    """List the collections."""
    require_no_query()
    states = [asdict(state) for state in search_service().states()]
    shown = [{name: state[name] for name in CollectionSummary.model_fields} for state in states]
    return revalidated(jsonify(collections=shown), private=True)


@blueprint.get(
    "/metrics",
    scope="metrics",
    description=Description(
        "getMetrics", {200: {"description": "Done.", "content": {"text/plain": {}}}}
    ),
)
def show() -> Response:
    """Metrics for Prometheus."""
    search_service().observe()
    text, content_type = metrics.exposition()
    return Response(text, content_type=content_type)

"""The search page, the rating page, the page of problems and the OpenAPI document."""

import json
from functools import cache

from werkzeug.wrappers import Response

from service.access.scopes import ScopedBlueprint
from service.api import assets
from service.api.batch import blueprint as batch
from service.api.changes import blueprint as changes
from service.api.events import blueprint as events
from service.api.explain import blueprint as explain
from service.api.images import blueprint as images
from service.api.products import blueprint as products
from service.api.ratings import blueprint as ratings
from service.api.search import blueprint as search
from service.api.status import blueprint as status
from service.http import openapi
from service.http.caching import revalidated
from service.http.compression import compressed
from service.http.descriptions import JSON, NOT_MODIFIED, Description, Json, json_answer
from service.http.problems import PAGE as PROBLEMS

blueprint = ScopedBlueprint("pages", __name__)

BLUEPRINTS = (
    search,
    batch,
    explain,
    products,
    changes,
    images,
    events,
    ratings,
    status,
    assets.blueprint,
    blueprint,
)


def document() -> Json:
    """Returns the document that `/openapi.json` serves."""
    return openapi.document(BLUEPRINTS)


@blueprint.get("/", scope=None)
def page() -> Response:
    """The search page."""
    return assets.page("index.html")


@blueprint.get(PROBLEMS, scope=None)
def problems() -> Response:
    """What each problem means: the `type` of problem documents."""
    return assets.page("problems.html")


@blueprint.get("/rate", scope=None)
def rating_page() -> Response:
    """The rating page."""
    return assets.page("rate.html")


@blueprint.get(
    "/openapi.json",
    scope=None,
    description=Description(
        "getOpenApi",
        {200: json_answer("The document.", {"type": "object"}), 304: NOT_MODIFIED},
    ),
)
def openapi_json() -> Response:
    """This document."""
    return compressed(revalidated(Response(_text(), content_type=JSON)))


@cache
def _text() -> str:
    return json.dumps(document())

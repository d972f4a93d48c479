"""The search page, the rating page and the OpenAPI document."""

from flask import Response, current_app, jsonify

from service.access.scopes import ScopedBlueprint
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
from service.http.descriptions import Description, Json, json_answer

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
    blueprint,
)


def document() -> Json:
    """Returns the document that `/openapi.json` serves."""
    return openapi.document(BLUEPRINTS)


@blueprint.get("/", scope=None)
def page() -> Response:
    """The search page."""
    return current_app.send_static_file("index.html")


@blueprint.get("/rate", scope=None)
def rating_page() -> Response:
    """The rating page."""
    return current_app.send_static_file("rate.html")


@blueprint.get(
    "/openapi.json",
    scope=None,
    description=Description("getOpenApi", {200: json_answer("The document.", {"type": "object"})}),
)
def openapi_json() -> Response:
    """This document."""
    return jsonify(document())

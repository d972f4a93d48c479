"""The OpenAPI 3.1 document, from the schemas and the table of errors."""

import re
from collections.abc import Sequence
from functools import cache

from flask import Response, jsonify
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from indexer import __version__, errors
from indexer.errors import ImageSearchError
from indexer.events import EventsError, UnknownQueryError
from service.access.scopes import ScopedBlueprint
from service.api import admin, events, schemas
from service.api import endpoints as api
from service.api.admin import WriterBusyError
from service.errors import (
    BadRequestError,
    DeadlineError,
    ForbiddenError,
    ImageUrlDisabledError,
    NotReadyError,
    OverloadedError,
    RateLimitedError,
    RequestTooLargeError,
    UnauthorizedError,
    UnknownImageError,
    UnsupportedMediaTypeError,
)
from service.http.openapi_parts import (
    Json,
    explain_bodies,
    json_content,
    path_parameter,
    plain,
    problems,
    product_id,
    query_parameters,
    ref,
    responses,
    search_bodies,
)
from service.http.parsing import LINES

_MODELS = (
    schemas.Parameters,
    schemas.JsonQuery,
    schemas.BatchQuery,
    schemas.BatchResponse,
    schemas.CollectionQuery,
    schemas.SearchResponse,
    schemas.ExplainParameters,
    schemas.ExplainQuery,
    schemas.ExplainResponse,
    schemas.ProductResponse,
    schemas.Health,
    schemas.Readiness,
    schemas.Problem,
    admin.ProductBody,
    admin.AttributesBody,
    admin.Operation,
    admin.ChangeResponse,
    admin.BulkResponse,
    events.EventBody,
    events.EventsBody,
)
_COLLECTION = (
    errors.UnknownCollectionError,
    NotReadyError,
    errors.BadParameterError,
    errors.CatalogMissingError,
    errors.StorageError,
)
# Of what is written.
_STORED = (WriterBusyError, errors.DiskFullError, errors.ReadOnlyError)
_SEARCH = (
    *_COLLECTION,
    errors.BadFilterError,
    errors.UnknownProductError,
    OverloadedError,
)
_PHOTO = (
    DeadlineError,
    errors.EmptyImageError,
    errors.UnsupportedFormatError,
    errors.TruncatedImageError,
    errors.CorruptImageError,
    errors.ImageTooLargeError,
    errors.FingerprintMismatchError,
)
_KEY: Json = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
_BODY = (BadRequestError, RequestTooLargeError, UnsupportedMediaTypeError)
_ACCESS = (UnauthorizedError, ForbiddenError, RateLimitedError)

blueprint = ScopedBlueprint("openapi", __name__)
_BLUEPRINTS = (api.blueprint, admin.blueprint, events.blueprint, blueprint)


@blueprint.get("/openapi.json", scope=None)
def openapi() -> Response:
    """This interface, described in OpenAPI 3.1."""
    return jsonify(document())


@cache
def document() -> Json:
    """The document that `/openapi.json` serves."""
    _, definitions = models_json_schema(
        [(model, "validation") for model in _MODELS], ref_template="#/components/schemas/{model}"
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Visual product search",
            "version": __version__,
            "description": "A photo or a product id in, the products that look most like it out.",
        },
        "paths": _guarded(_with_changes(_paths())),
        "components": {"schemas": definitions["$defs"], "securitySchemes": _KEY},
    }


def _paths() -> Json:
    search_errors = (
        *_SEARCH,
        *_PHOTO,
        errors.FetchError,
        BadRequestError,
        ForbiddenError,
        ImageUrlDisabledError,
        RequestTooLargeError,
        UnsupportedMediaTypeError,
    )
    return {
        "/v1/search": {
            "post": {
                "operationId": "search",
                "summary": "Find the products that look most like a photo, or like a product.",
                "parameters": query_parameters(schemas.Parameters),
                "requestBody": {"required": True, "content": search_bodies()},
                "responses": responses(schemas.SearchResponse, search_errors),
            }
        },
        "/v1/search/batch": {
            "post": {
                "operationId": "searchBatch",
                "summary": f"Answer up to {schemas.MAX_BATCH} searches; a problem of one stops"
                " no other.",
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": ref(schemas.BatchQuery)}},
                },
                "responses": responses(
                    schemas.BatchResponse,
                    (
                        errors.BadParameterError,
                        BadRequestError,
                        OverloadedError,
                        RequestTooLargeError,
                        UnsupportedMediaTypeError,
                    ),
                ),
            }
        },
        "/v1/explain": {
            "post": {
                "operationId": "explain",
                "summary": "Show where a query and one of its results agree.",
                "requestBody": {"required": True, "content": explain_bodies()},
                "responses": responses(
                    schemas.ExplainResponse, (*search_errors, UnknownImageError)
                ),
            }
        },
        "/v1/products/{product_id}": {
            "get": {
                "operationId": "getProduct",
                "summary": "A product, its attributes and photos.",
                "parameters": [product_id(), *query_parameters(schemas.CollectionQuery)],
                "responses": responses(
                    schemas.ProductResponse, (*_COLLECTION, errors.UnknownProductError)
                ),
            }
        },
        "/v1/products/{product_id}/similar": {
            "get": {
                "operationId": "getSimilarProducts",
                "summary": "The products that look most like this one, itself excluded.",
                "parameters": [
                    product_id(),
                    *query_parameters(schemas.Parameters, without=["box"]),
                ],
                "responses": responses(schemas.SearchResponse, _SEARCH),
            }
        },
        "/v1/images/{image_id}": {
            "get": {
                "operationId": "getImage",
                "summary": "A photo of the catalogue.",
                "parameters": [
                    path_parameter("image_id", {"type": "integer", "minimum": 0}),
                    *query_parameters(schemas.CollectionQuery),
                ],
                "responses": {
                    "200": {"description": "The photo.", "content": {"image/*": {}}},
                    "302": {"description": "The photo is on the web: its address."},
                    "304": {"description": "The client has it, by the `ETag` it sends."},
                    **problems((*_COLLECTION, UnknownImageError)),
                },
            }
        },
        "/healthz": plain("getHealth", "Whether the process answers.", schemas.Health),
        "/readyz": _readiness(),
        "/metrics": {
            "get": {
                "operationId": "getMetrics",
                "summary": "What the service counts and measures, for Prometheus.",
                "responses": {"200": {"description": "Done.", "content": {"text/plain": {}}}},
            }
        },
        "/openapi.json": {
            "get": {
                "operationId": "getOpenApi",
                "summary": "This document.",
                "responses": {"200": json_content("The document.", {"type": "object"})},
            }
        },
    }


def _with_changes(paths: Json) -> Json:
    change = (*_COLLECTION, *_BODY, *_STORED)
    product = paths["/v1/products/{product_id}"]
    put = (*change, *_PHOTO, errors.FetchError)
    product["put"] = _change(
        "putProduct",
        "Add a product, or replace it: durable when answered.",
        (admin.ProductBody, admin.ChangeResponse),
        put,
    )
    product["patch"] = _change(
        "patchProduct",
        "Change attributes of a product.",
        (admin.AttributesBody, admin.ChangeResponse),
        (*change, errors.UnknownProductError),
    )
    product["delete"] = {
        "operationId": "deleteProduct",
        "summary": "Remove a product.",
        "responses": responses(
            admin.ChangeResponse, (*_COLLECTION, *_STORED, errors.UnknownProductError)
        ),
    }
    for method in ("put", "patch", "delete"):
        product[method]["parameters"] = [product_id(), *query_parameters(schemas.CollectionQuery)]
    many = {"type": "array", "items": ref(admin.Operation), "minItems": 1}
    content = {
        "application/json": {"schema": {**many, "maxItems": admin.MAX_OPERATIONS}},
        LINES: {"schema": ref(admin.Operation)},
    }
    bulk = {
        "operationId": "changeProducts",
        "summary": "Put, patch and delete many products; a bad one does not stop the others.",
        "parameters": query_parameters(schemas.CollectionQuery),
        "requestBody": {"required": True, "content": content},
        "responses": responses(admin.BulkResponse, (*_COLLECTION, *_BODY)),
    }
    return {**paths, "/v1/products/bulk": {"post": bulk}, "/v1/events": {"post": _events()}}


def _events() -> Json:
    either = {"anyOf": [ref(events.EventBody), ref(events.EventsBody)]}
    raised = (errors.BadParameterError, *_BODY, UnknownQueryError, EventsError)
    return {
        "operationId": "addEvents",
        "summary": "Report what shoppers did with results: durable when answered.",
        "requestBody": {"required": True, "content": {"application/json": {"schema": either}}},
        "responses": {"204": {"description": "Stored."}, **problems(raised)},
    }


def _change(
    operation: str,
    summary: str,
    models: tuple[type[BaseModel], type[BaseModel]],
    raised: Sequence[type[ImageSearchError]],
) -> Json:
    taken, given = models
    content = {"application/json": {"schema": ref(taken)}}
    return {
        "operationId": operation,
        "summary": summary,
        "requestBody": {"required": True, "content": content},
        "responses": responses(given, raised),
    }


def _guarded(paths: Json) -> Json:
    """The same, with what each operation asks of its caller."""
    scopes = {
        (method.lower(), re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule)): scope
        for each in _BLUEPRINTS
        for (method, rule), scope in each.scopes.items()
    }
    for path, operations in paths.items():
        for method, operation in operations.items():
            if scope := scopes[method, path]:
                operation["description"] = f"Takes an API key for `{scope}`, where there are keys."
                operation["security"] = [{name: []} for name in _KEY]
                # An operation that has further codes for a status names these, too.
                every = {**problems(_ACCESS), **operation["responses"]}
                operation["responses"] = dict(sorted(every.items()))
    return paths


def _readiness() -> Json:
    path = plain("getReadiness", "Whether every collection can be searched.", schemas.Readiness)
    path["get"]["responses"]["503"] = json_content("Not all of them.", ref(schemas.Readiness))
    return path

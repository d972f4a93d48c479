"""The OpenAPI 3.1 document, collected from the routes of blueprints."""

import re
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from indexer.access.keys import KeysError
from indexer.errors import BadParameterError, CatalogError, ImageSearchError
from service.access.scopes import Route, ScopedBlueprint
from service.errors import (
    BadRequestError,
    ForbiddenError,
    OverloadedError,
    RateLimitedError,
    UnauthorizedError,
)
from service.http.descriptions import Description, Form, Json, json_answer
from service.http.openapi_headers import HEADERS, headers_of, preconditions
from service.http.problems import Problem, status_of

# Of the interface, not of the package: raised by additions to `/v1`.
API_VERSION = "1.1.0"

_SCHEMAS = "#/components/schemas/{model}"
_PARAMETER = re.compile(r"<(?:(\w+):)?(\w+)>")
# By converter of the route.
_PATH_PARAMETERS: dict[str, Json] = {
    "product_id": {
        "schema": {"type": "string", "minLength": 1},
        "description": "Any characters, percent-encoded, slashes too.",
        "example": "boot-7",
    },
    "int": {"schema": {"type": "integer", "minimum": 0}, "description": "As in `image_url`."},
}
_KEY: Json = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
_ABOUT = (
    "A photo or a product id in, the products that look most like it out. A path that is not"
    " listed here gets 404 `not_found`; a method that its path does not have gets 405"
    " `method_not_allowed`."
)
_ACCESS = (UnauthorizedError, ForbiddenError, RateLimitedError)
# Of the server, for heads that never reach the application; their bodies are HTML.
_OF_THE_HEAD: Json = {
    "414": {"description": "The request line has over 8,190 bytes.", "content": {"text/html": {}}},
    "431": {"description": "The head has over 64 KiB or 100 fields.", "content": {"text/html": {}}},
}


@cache
def document(blueprints: tuple[ScopedBlueprint, ...]) -> Json:
    """Describes every route of the blueprints that has a description."""
    paths: Json = {}
    models: dict[type[BaseModel], None] = {}
    tags: dict[str, str] = {}
    for blueprint in blueprints:
        for (method, rule), route in blueprint.routes.items():
            if route.description:
                path = paths.setdefault(_PARAMETER.sub(r"{\2}", rule), {})
                described = _described(method.lower(), rule, route, route.description)
                path[method.lower()] = {"tags": [blueprint.name], **described}
                tags[blueprint.name] = sys.modules[blueprint.import_name].__doc__ or ""
                if route.description.query:
                    models[route.description.query] = None
    paths = _resolved(paths, models)
    _, definitions = models_json_schema(
        [(model, "validation") for model in models], ref_template=_SCHEMAS
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Visual product search",
            "version": API_VERSION,
            "description": _ABOUT,
            "license": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
        },
        "tags": [
            {"name": name, "description": text.partition("\n")[0]} for name, text in tags.items()
        ],
        "paths": paths,
        "components": {
            "schemas": definitions["$defs"],
            "headers": HEADERS,
            "securitySchemes": _KEY,
        },
    }


def raised_by(route: Route) -> set[type[ImageSearchError]]:
    """Returns the errors that a route may answer."""
    description = route.description
    if description is None:
        return set()
    of_body = {OverloadedError} if description.body else set()
    of_access = {*_ACCESS, KeysError} if route.scope else set()
    return {BadRequestError, CatalogError, *of_body, *of_access, *description.raises}


def _described(method: str, rule: str, route: Route, description: Description) -> Json:
    described: Json = {"operationId": description.id, "summary": route.summary}
    parameters: list[Any] = [
        {"name": name, "in": "path", "required": True, **_PATH_PARAMETERS[converter]}
        for converter, name in _PARAMETER.findall(rule)
    ]
    if description.query:
        parameters += _query_parameters(description.query, description.without)
    parameters += preconditions(method, description.answers)
    if parameters:
        described["parameters"] = parameters
    if description.body:
        content = {kind: {"schema": schema} for kind, schema in description.body.items()}
        described["requestBody"] = {"required": True, "content": content}
    kinds = raised_by(route) | ({BadParameterError} if rule.startswith("/v1/") else set())
    responses = _problems(kinds, unknown_path="<int:" in rule)
    for status, answer in description.answers.items():
        done = answer if isinstance(answer, dict) else json_answer("Done.", answer)
        responses[str(status)] = done
    if route.scope:
        described["description"] = f"Takes an API key for `{route.scope}`, where there are keys."
        described["security"] = [*({name: []} for name in _KEY), {}]
    limited = route.scope is not None
    responses = {
        status: {**response, "headers": headers_of(method, int(status), responses, limited=limited)}
        for status, response in responses.items()
    }
    responses |= _OF_THE_HEAD
    return {**described, "responses": dict(sorted(responses.items()))}


def _query_parameters(model: type[BaseModel], without: Sequence[str]) -> list[Json]:
    """Returns the fields of a model as parameters in the URL."""
    parameters = []
    for name, schema in model.model_json_schema()["properties"].items():
        if name not in without:
            described = {"description": schema.pop("description"), "schema": schema}
            parameters.append({"name": name, "in": "query", **described})
    return parameters


def _problems(raised: Iterable[type[ImageSearchError]], *, unknown_path: bool) -> Json:
    """Returns a response for each status of the errors, with their codes.

    Args:
        raised: the errors.
        unknown_path: whether the path has a parameter that not every text fits.
    """
    codes: dict[HTTPStatus, set[str]] = {HTTPStatus.INTERNAL_SERVER_ERROR: {"internal_error"}}
    if unknown_path:
        codes[HTTPStatus.NOT_FOUND] = {"not_found"}
    for kind in raised:
        codes.setdefault(status_of(kind), set()).add(kind.code)
    return {str(int(status)): _problem(status, sorted(names)) for status, names in codes.items()}


def _problem(status: HTTPStatus, codes: Sequence[str]) -> Json:
    its_own = {"status": {"const": int(status)}, "code": {"enum": codes}}
    return {
        "description": f"`code` is one of: {', '.join(codes)}.",
        "content": {
            "application/problem+json": {"schema": {"allOf": [Problem, {"properties": its_own}]}}
        },
    }


def _resolved(value: Any, models: dict[type[BaseModel], None]) -> Any:
    """Replaces models by references, and adds the models to `models`."""
    if isinstance(value, dict):
        return {key: _resolved(inner, models) for key, inner in value.items()}
    if isinstance(value, list):
        return [_resolved(inner, models) for inner in value]
    if isinstance(value, Form):
        models[value.model] = None
        fields = value.model.model_json_schema()
        return {
            "type": "object",
            "required": ["image", *fields.get("required", [])],
            "properties": {"image": value.image, **fields["properties"]},
        }
    if isinstance(value, type) and issubclass(value, BaseModel):
        models[value] = None
        return {"$ref": _SCHEMAS.format(model=value.__name__)}
    return value

"""The pieces that an OpenAPI document is made of."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel

from indexer.errors import ImageSearchError
from service.api import schemas
from service.http.problems import status_of

Json = dict[str, Any]


def plain(operation: str, summary: str, model: type[BaseModel]) -> Json:
    """A path that is only read, without parameters."""
    done = {"200": json_content("Done.", ref(model))}
    return {"get": {"operationId": operation, "summary": summary, "responses": done}}


def responses(model: type[BaseModel], raised: Sequence[type[ImageSearchError]]) -> Json:
    """The answer, and the problems that may come instead."""
    return {"200": json_content("Done.", ref(model)), **problems(raised)}


def problems(raised: Sequence[type[ImageSearchError]]) -> Json:
    """An answer for each status of these errors, which names their codes."""
    codes: dict[HTTPStatus, list[str]] = {}
    for kind in raised:
        codes.setdefault(status_of(kind), []).append(kind.code)
    return {
        str(int(status)): {
            "description": f"`code` is one of: {', '.join(sorted(set(names)))}.",
            "content": {"application/problem+json": {"schema": ref(schemas.Problem)}},
        }
        for status, names in sorted(codes.items())
    }


def query_parameters(model: type[BaseModel], without: Sequence[str] = ()) -> list[Json]:
    """The fields of a model as parameters in the URL."""
    parameters = []
    for name, schema in model.model_json_schema()["properties"].items():
        if name in without:
            continue
        description = schema.pop("description")
        parameters.append(
            {"name": name, "in": "query", "description": description, "schema": schema}
        )
    return parameters


def product_id() -> Json:
    parameter = path_parameter("product_id", {"type": "string", "minLength": 1})
    return {**parameter, "description": "Any characters, percent-encoded, slashes too."}


def path_parameter(name: str, schema: Json) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": schema}


def json_content(description: str, schema: Json) -> Json:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def ref(model: type[BaseModel]) -> Json:
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def search_bodies() -> Json:
    """A search as a form and as JSON."""
    fields = schemas.Parameters.model_json_schema()["properties"]
    photo = {"type": "string", "format": "binary"}
    upload = {
        "type": "object",
        "required": ["image"],
        "properties": {
            "image": {
                "type": "array",
                "items": photo,
                "minItems": 1,
                "maxItems": schemas.MAX_PHOTOS,
                "description": "Photos; a product's score is its best to any of them.",
            },
            **fields,
        },
    }
    return {
        "multipart/form-data": {"schema": upload},
        "application/json": {"schema": ref(schemas.JsonQuery)},
    }


def explain_bodies() -> Json:
    """A request for an explanation as a form and as JSON."""
    fields = schemas.ExplainParameters.model_json_schema()["properties"]
    photo = {"type": "string", "format": "binary", "description": "The photo of the query."}
    upload = {
        "type": "object",
        "required": ["image", "result"],
        "properties": {"image": photo, **fields},
    }
    return {
        "multipart/form-data": {"schema": upload},
        "application/json": {"schema": ref(schemas.ExplainQuery)},
    }

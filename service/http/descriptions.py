"""Descriptions of views for the OpenAPI document."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from indexer.errors import ImageSearchError

Json = dict[str, Any]
JSON = "application/json"
NOT_MODIFIED: Json = {"description": "The client has this response, by its `ETag`."}


@dataclass(frozen=True)
class Description:
    """A view as an operation of OpenAPI; its summary is the first line of the view's docstring.

    Pydantic models in schemas become references.

    Attributes:
        id: the `operationId`.
        answers: by status: a model that is sent as JSON, or a response object.
        raises: errors that may be answered instead.
        query: the model of the parameters in the URL.
        without: fields of `query` that the view does not accept.
        body: schemas of the request body by media type.
    """

    id: str
    answers: Mapping[int, type[BaseModel] | Json]
    raises: tuple[type[ImageSearchError], ...] = ()
    query: type[BaseModel] | None = None
    without: tuple[str, ...] = ()
    body: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Form:
    """The schema of a form: the fields of a model, and photos as the file field `image`."""

    model: type[BaseModel]
    image: Json


def json_answer(description: str, schema: Any) -> Json:
    """Returns a response object with a JSON body."""
    return {"description": description, "content": {JSON: {"schema": schema}}}

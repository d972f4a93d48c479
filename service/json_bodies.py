"""Bodies in JSON, one or many documents: read, and validated with an error that names the field."""

import base64
import binascii
import json
from typing import Any, TypeVar

from flask import current_app, request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import RequestEntityTooLarge

from indexer.errors import BadParameterError
from service.errors import BadRequestError, UnsupportedMediaTypeError

ModelT = TypeVar("ModelT", bound=BaseModel)

LINES = "application/x-ndjson"


def json_body(*, lines: bool = False) -> Any:
    """The document that the request carries; with `lines`, NDJSON is taken too, as a list.

    No other content type is taken: browsers send those to other origins without asking first.
    """
    accepted = ["application/json", *([LINES] if lines else [])]
    if request.mimetype not in accepted:
        raise UnsupportedMediaTypeError(
            f"received content type {request.mimetype or 'none'!r}; send {' or '.join(accepted)}"
        )
    data = request.get_data()
    # Werkzeug cuts a body without a length off at the limit and says nothing.
    if len(data) >= current_app.config["MAX_CONTENT_LENGTH"]:
        raise RequestEntityTooLarge
    if request.mimetype == LINES:
        return [
            _document(line, f"line {number}: ")
            for number, line in enumerate(data.splitlines(), start=1)
            if line.strip()
        ]
    return _document(data, "")


def validated(model: type[ModelT], value: object, where: str = "") -> ModelT:
    """
    Raises:
        BadParameterError: it names the field, what was received and what is allowed.
    """
    try:
        return model.model_validate(value)
    except ValidationError as invalid:
        error = invalid.errors()[0]
        name = ".".join([where, *map(str, error["loc"])]).strip(".") or "the body"
        raise BadParameterError(
            f"{name}: received {error['input']!r:.80}; {error['msg'].lower()}"
        ) from None


def decoded(text: str, where: str) -> bytes:
    """What base64 stands for, in a data URL or by itself."""
    payload = text.partition(",")[2] if text.startswith("data:") else text
    try:
        return base64.b64decode(payload, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadParameterError(f"{where}: not base64 ({error})") from None


def _document(data: bytes, where: str) -> Any:
    try:
        return json.loads(data)
    except RecursionError:
        raise BadRequestError(f"{where}the JSON is nested too deeply") from None
    except ValueError as error:  # that it is no UTF-8, too
        raise BadRequestError(f"{where}not JSON: {error}") from None

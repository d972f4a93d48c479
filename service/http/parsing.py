"""What clients send, read and validated; an error names the field and what was received."""

import base64
import binascii
import json
from collections.abc import Collection, Iterable
from typing import Any, TypeVar

from flask import current_app, request
from pydantic import BaseModel, ValidationError
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import RequestEntityTooLarge

from indexer.errors import BadParameterError
from service.errors import BadRequestError, UnsupportedMediaTypeError

ModelT = TypeVar("ModelT", bound=BaseModel)

LINES = "application/x-ndjson"


def json_body(*, lines: bool = False) -> Any:
    """The document that the request carries; with `lines`, NDJSON is taken too, as a list.

    In the place of a line that is not JSON the list has the error.

    No other content type is taken: browsers send those to other origins without asking first.
    """
    accepted = ["application/json", *([LINES] if lines else [])]
    if request.mimetype not in accepted:
        raise UnsupportedMediaTypeError(
            f"received content type {request.mimetype or 'none'!r}; send {' or '.join(accepted)}"
        )
    data = request.get_data(cache=False)  # it may be large, and is held once more as text
    # Werkzeug cuts a body without a length off at the limit and says nothing.
    if len(data) >= current_app.config["MAX_CONTENT_LENGTH"]:
        raise RequestEntityTooLarge
    if request.mimetype == LINES:
        return [
            _document_or_error(line, f"line {number}: ")
            for number, line in enumerate(data.splitlines(), start=1)
            if line.strip()
        ]
    return _document(data, "")


def validated(model: type[ModelT], *sources: object, where: str = "") -> ModelT:
    """The model of what was sent; fields of a later source replace those of an earlier one.

    Raises:
        BadParameterError: it names the field, what was received and what is allowed.
        BadRequestError: what should have fields has none.
    """
    try:
        return model.model_validate(sources[0] if len(sources) == 1 else _merged(sources))
    except ValidationError as invalid:
        error = invalid.errors()[0]
        name = ".".join([where, *map(str, error["loc"])]).strip(".")
        if error["type"] == "extra_forbidden" and len(error["loc"]) == 1:
            known = ", ".join(model.model_fields)
            raise BadParameterError(f"unknown parameter {name!r}; known: {known}") from None
        received = f"received {error['input']!r:.200}; " if name else ""
        raise BadParameterError(f"{name or 'the body'}: {received}{error['msg'].lower()}") from None


def unrepeated(source: MultiDict[str, str], repeatable: Collection[str] = ()) -> dict[str, Any]:
    """Parameters of a query string or a form; a list of those that may be sent several times.

    Raises:
        BadParameterError: another one was, or one is not UTF-8.
    """
    values: dict[str, Any] = {}
    for name, received in source.lists():
        if name not in repeatable and len(received) > 1:
            raise BadParameterError(f"{name}: received {received!r:.200}; send it once")
        # What Werkzeug puts in the place of bytes of a form that are not UTF-8.
        if any("\ufffd" in text for text in (name, *received)):
            raise BadParameterError(f"{name}: received {received!r:.200}; send UTF-8")
        values[name] = received if name in repeatable else received[0]
    return values


def _merged(sources: Iterable[object]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for source in sources:
        if not isinstance(source, dict):
            raise BadRequestError(f"received {source!r:.80}; send a JSON object")
        merged |= source
    return merged


def decoded(text: str, where: str) -> bytes:
    """What base64 stands for, in a data URL or by itself."""
    payload = text.partition(",")[2] if text.startswith("data:") else text
    try:
        return base64.b64decode(payload, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadParameterError(f"{where}: not base64 ({error})") from None


def _document_or_error(line: bytes, where: str) -> Any:
    try:
        return _document(line, where)
    except BadRequestError as error:
        return error


def _document(data: bytes, where: str) -> Any:
    try:
        return json.loads(data)
    except RecursionError:
        raise BadRequestError(f"{where}the JSON is nested too deeply") from None
    except ValueError as error:  # that it is no UTF-8, too
        raise BadRequestError(f"{where}not JSON: {error}") from None

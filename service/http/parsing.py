"""Reads and validates requests; an error names the field and what was received."""

import base64
import binascii
import json
import re
from collections.abc import Collection, Iterable, Sequence
from typing import Any, TypeVar

from flask import current_app, request
from pydantic import BaseModel, ValidationError
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import RequestEntityTooLarge

from indexer.errors import BadParameterError
from indexer.validation import faults, shown, unknown
from service.errors import BadRequestError, RequestTooLargeError, UnsupportedMediaTypeError
from service.http.descriptions import JSON

ModelT = TypeVar("ModelT", bound=BaseModel)

_NOT_BASE64 = re.compile("[^A-Za-z0-9+/=]")

LINES = "application/x-ndjson"
MERGE_PATCH = "application/merge-patch+json"  # RFC 7396
_MAX_VALUES = 20_000
_MAX_LINES = 10_000  # ten times the limit of operations, because lines may be blank


def json_body(
    *,
    types: Sequence[str] = (JSON,),
    max_values: int = _MAX_VALUES,
    max_bytes: int | None = None,
) -> Any:
    """Returns the JSON document in the body.

    Other content types are rejected: browsers send those to other origins without a preflight.

    Args:
        types: accepted content types. NDJSON is returned as a list; a line that is not JSON is an
            error in this list.
        max_values: limit of values in the body; a value takes up to 50 times the memory of its
            text.
        max_bytes: limit of the body; by default that of all requests.

    Raises:
        RequestTooLargeError: the body exceeds a limit.
        BadRequestError: the body is not JSON.
        UnsupportedMediaTypeError: the body has another content type.
    """
    if request.mimetype not in types:
        raise UnsupportedMediaTypeError(f"received {received_type()}; send {' or '.join(types)}")
    if max_bytes is not None and (request.content_length or 0) > max_bytes:
        raise _too_long(max_bytes)
    data = request.get_data(cache=False)  # not cached: it may be large, and exists as text too
    # Werkzeug silently truncates a body without a length at the limit.
    if len(data) >= current_app.config["MAX_CONTENT_LENGTH"]:
        raise RequestEntityTooLarge
    if max_bytes is not None and len(data) > max_bytes:
        raise _too_long(max_bytes)
    _require_few_values(data, max_values)
    if request.mimetype == LINES:
        if data.count(b"\n") + data.count(b"\r") > _MAX_LINES:
            raise RequestTooLargeError(f"the body has more than {_MAX_LINES:,} lines")
        return [
            _document_or_error(line, f"line {number}: ")
            for number, line in enumerate(data.splitlines(), start=1)
            if line.strip()
        ]
    return _document(data, "")


def remove_nulls(value: Any) -> None:
    """Removes the nulls of an object, as a JSON merge patch of no object does: RFC 7396, 2."""
    inner = [value]  # not recursive: parsed JSON may be nested as deep as Python can call
    while inner:
        if isinstance(part := inner.pop(), dict):
            for name in [name for name, member in part.items() if member is None]:
                del part[name]
            inner += part.values()


def received_type() -> str:
    """Returns the content type of the request in words."""
    return f"content type {request.mimetype!r}" if request.mimetype else "no content type"


def validated(model: type[ModelT], *sources: object, where: str = "") -> ModelT:
    """Validates what was sent, such as the parameters in the URL and in the body together.

    Raises:
        BadParameterError: a field is invalid, or is in two sources.
        BadRequestError: a source is not an object.
    """
    document = sources[0] if len(sources) == 1 else _merged(sources)
    # Before validation, in which pydantic creates an error for each unknown name.
    if isinstance(document, dict) and len(document) > len(model.model_fields):
        name = next(name for name in document if name not in model.model_fields)
        raise BadParameterError(unknown(name, model.model_fields, where))
    try:
        return model.model_validate(document)
    except ValidationError as invalid:
        found = faults(model, invalid, where)
        raise BadParameterError(next(iter(found.values())), faults=found) from None


def unrepeated(source: MultiDict[str, str], repeatable: Collection[str] = ()) -> dict[str, Any]:
    """Returns the parameters of a query string or a form; repeatable ones as lists.

    Raises:
        BadParameterError: a parameter is repeated but not repeatable, or is not UTF-8.
    """
    values: dict[str, Any] = {}
    for name, received in source.lists():
        if name not in repeatable and len(received) > 1:
            raise BadParameterError(f"{name}: received {shown(received)}; send it once")
        # Werkzeug's replacement for bytes of a form that are not UTF-8.
        if any("\ufffd" in text for text in (name, *received)):
            raise BadParameterError(f"{name}: received {shown(received)}; must be UTF-8")
        values[name] = received if name in repeatable else received[0]
    return values


def uploaded(limit: int) -> list[bytes]:
    """Returns the photos sent as files.

    Raises:
        BadParameterError: there are other files.
        BadRequestError: there are no photos, or too many.
    """
    if others := set(request.files) - {"image"}:
        raise BadParameterError(f"unknown file {min(others)!r}; send photos as `image`")
    photos = [file.read() for file in request.files.getlist("image")]
    if not 1 <= len(photos) <= limit:
        wanted = "one photo" if limit == 1 else f"1 to {limit} photos"
        raise BadRequestError(f"received {len(photos)} files named `image`; send {wanted}")
    return photos


def require_no_query() -> None:
    """Checks that the URL has no parameters.

    Raises:
        BadParameterError: there are parameters in the URL.
    """
    if request.args:
        raise BadParameterError(
            f"unknown parameter {min(request.args)!r:.80}; this path takes none in the URL"
        )


def _merged(sources: Iterable[object]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for source in sources:
        if not isinstance(source, dict):
            raise BadRequestError(f"received {shown(source)}; send a JSON object")
        if both := sorted(merged.keys() & source.keys()):
            raise BadParameterError(f"{both[0]}: received in the URL and in the body; send it once")
        merged |= source
    return merged


def decoded(text: str, where: str) -> bytes:
    """Decodes base64, plain or in a data URL.

    Raises:
        BadParameterError: the text is not base64.
    """
    payload = text.partition(",")[2] if text.startswith("data:") else text
    if "\n" in payload or "\r" in payload:  # MIME has lines of 76 characters
        payload = payload.replace("\r", "").replace("\n", "")
    try:
        return base64.b64decode(payload, validate=True)
    except (binascii.Error, ValueError):
        raise BadParameterError(f"{where}: invalid base64: {_fault(payload)}") from None


def _fault(payload: str) -> str:
    """Returns why a text without line breaks is not base64."""
    if odd := _NOT_BASE64.search(payload):
        hint = "; the URL-safe alphabet is not accepted" if odd[0] in "-_" else ""
        return f"{odd[0]!r} at character {odd.start()}{hint}"
    digits = payload.rstrip("=")
    if "=" in digits:
        return f"'=' at character {digits.index('=')}, before the end"
    return (
        f"{len(digits)} characters and {len(payload) - len(digits)} '=' of padding, together not"
        " a multiple of 4; it may be incomplete"
    )


def _require_few_values(data: bytes, limit: int) -> None:
    """Checks the number of values in JSON before it is parsed.

    Each value except the first follows a comma or the start of a list or an object.
    """
    if sum(data.count(mark) for mark in (b",", b"[", b"{")) > limit:
        raise RequestTooLargeError(
            f"the JSON has more than {limit:,} values, counted by its commas (those in texts, too),"
            " lists and objects; send less at once"
        )


def _too_long(limit: int) -> RequestTooLargeError:
    return RequestTooLargeError(f"the body has more than {limit:,} bytes; send less at once")


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
    except json.JSONDecodeError as error:
        raise BadRequestError(
            f"{where}invalid JSON: {error.msg} at character {error.pos}"
        ) from None
    except UnicodeDecodeError as error:
        raise BadRequestError(f"{where}invalid JSON: not UTF-8 at byte {error.start}") from None
    except ValueError:  # Python limits the digits of numbers
        raise BadRequestError(f"{where}invalid JSON: a number has too many digits") from None

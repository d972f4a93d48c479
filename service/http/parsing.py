"""What clients send, read and validated; an error names the field and what was received."""

import base64
import binascii
import json
import re
from collections.abc import Collection, Iterable
from typing import Any, TypeVar

from flask import current_app, request
from pydantic import BaseModel, ValidationError
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import RequestEntityTooLarge

from indexer.errors import BadParameterError
from indexer.validation import explained, shown, unknown
from service.errors import BadRequestError, RequestTooLargeError, UnsupportedMediaTypeError

ModelT = TypeVar("ModelT", bound=BaseModel)

_NOT_BASE64 = re.compile("[^A-Za-z0-9+/=]")

LINES = "application/x-ndjson"
_MAX_VALUES = 20_000
_MAX_LINES = 10_000  # ten times as many as are taken: some may be blank


def json_body(
    *, lines: bool = False, most_values: int = _MAX_VALUES, most_bytes: int | None = None
) -> Any:
    """The document that the request carries; with `lines`, NDJSON is taken too, as a list.

    In the place of a line that is not JSON the list has the error.

    No other content type is taken: browsers send those to other origins without asking first.

    Args:
        lines: whether NDJSON is taken.
        most_values: in all of the body. A value takes up to 50 times as much memory as its text.
        most_bytes: of the body; by default as many as of any request.

    Raises:
        RequestTooLargeError: the body has more.
        BadRequestError: it is not JSON.
        UnsupportedMediaTypeError: it is said to be something else.
    """
    accepted = ["application/json", *([LINES] if lines else [])]
    if request.mimetype not in accepted:
        raise UnsupportedMediaTypeError(f"received {received_type()}; send {' or '.join(accepted)}")
    if most_bytes is not None and (request.content_length or 0) > most_bytes:
        raise _too_long(most_bytes)
    data = request.get_data(cache=False)  # it may be large, and is held once more as text
    # Werkzeug cuts a body without a length off at the limit and says nothing.
    if len(data) >= current_app.config["MAX_CONTENT_LENGTH"]:
        raise RequestEntityTooLarge
    if most_bytes is not None and len(data) > most_bytes:
        raise _too_long(most_bytes)
    _require_few_values(data, most_values)
    if request.mimetype == LINES:
        if data.count(b"\n") + data.count(b"\r") > _MAX_LINES:
            raise RequestTooLargeError(f"the body has more than {_MAX_LINES:,} lines")
        return [
            _document_or_error(line, f"line {number}: ")
            for number, line in enumerate(data.splitlines(), start=1)
            if line.strip()
        ]
    return _document(data, "")


def received_type() -> str:
    """The content type of the request, in words."""
    return f"content type {request.mimetype!r}" if request.mimetype else "no content type"


def validated(model: type[ModelT], *sources: object, where: str = "") -> ModelT:
    """The model of what was sent, in the URL and in the body for instance.

    Raises:
        BadParameterError: it names the field, what was received and what is allowed; or a field is
            in two sources.
        BadRequestError: what should have fields has none.
    """
    document = sources[0] if len(sources) == 1 else _merged(sources)
    # Pydantic makes an error of each unknown name.
    if isinstance(document, dict) and len(document) > len(model.model_fields):
        name = next(name for name in document if name not in model.model_fields)
        raise BadParameterError(unknown(name, model.model_fields, where))
    try:
        return model.model_validate(document)
    except ValidationError as invalid:
        raise BadParameterError(explained(model, invalid, where)) from None


def unrepeated(source: MultiDict[str, str], repeatable: Collection[str] = ()) -> dict[str, Any]:
    """Parameters of a query string or a form; a list of those that may be sent several times.

    Raises:
        BadParameterError: another one was, or one is not UTF-8.
    """
    values: dict[str, Any] = {}
    for name, received in source.lists():
        if name not in repeatable and len(received) > 1:
            raise BadParameterError(f"{name}: received {shown(received)}; send it once")
        # What Werkzeug puts in the place of bytes of a form that are not UTF-8.
        if any("\ufffd" in text for text in (name, *received)):
            raise BadParameterError(f"{name}: received {shown(received)}; must be UTF-8")
        values[name] = received if name in repeatable else received[0]
    return values


def uploaded(limit: int) -> list[bytes]:
    """The photos that were sent as files.

    Raises:
        BadParameterError: there are other files.
        BadRequestError: there are none, or too many.
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
    """What base64 stands for, in a data URL or by itself."""
    payload = text.partition(",")[2] if text.startswith("data:") else text
    if "\n" in payload or "\r" in payload:  # MIME has lines of 76 characters
        payload = payload.replace("\r", "").replace("\n", "")
    try:
        return base64.b64decode(payload, validate=True)
    except (binascii.Error, ValueError):
        raise BadParameterError(f"{where}: invalid base64: {_fault(payload)}") from None


def _fault(payload: str) -> str:
    """Why the text, which has no line breaks, is not base64."""
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


def _require_few_values(data: bytes, most: int) -> None:
    """Checks that JSON has few values, before it is read.

    Each value but the first follows a comma or the start of a list or an object.
    """
    if sum(data.count(mark) for mark in (b",", b"[", b"{")) > most:
        raise RequestTooLargeError(
            f"the JSON has more than {most:,} values, counted by its commas (those in texts, too),"
            " lists and objects; send less at once"
        )


def _too_long(most: int) -> RequestTooLargeError:
    return RequestTooLargeError(f"the body has more than {most:,} bytes; send less at once")


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
    except ValueError:  # Python reads no numbers of thousands of digits
        raise BadRequestError(f"{where}invalid JSON: a number has too many digits") from None

"""Converts errors to responses: RFC 9457 `application/problem+json`."""

import json
import logging
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from flask import Flask, Response, current_app, request
from pydantic import BaseModel, Field
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge

from indexer import errors as domain
from indexer.errors import ImageSearchError
from indexer.events import EventsError, RatingsError, RatingsFullError, UnknownQueryError
from service.engine.metrics import STORAGE_FAILURES
from service.errors import (
    RETRY_AFTER_S,
    AccessError,
    BadRequestError,
    DeadlineError,
    ForbiddenError,
    ImageUrlDisabledError,
    NotReadyError,
    OverloadedError,
    RateLimitedError,
    RequestTooLargeError,
    StaleCursorError,
    UnauthorizedError,
    UnknownImageError,
    UnsupportedMediaTypeError,
)
from service.http.examples import PROBLEM, example
from service.http.logs import current_request_id
from service.http.problem_texts import detail_of, title_of

log = logging.getLogger(__name__)

PAGE = "/problems"  # describes all problems


class Fault(BaseModel):
    """A value that is invalid."""

    name: str = Field(description="Path of the value, such as `limit` or `events[3].action`.")
    detail: str


class Problem(BaseModel):
    """A problem document (RFC 9457). `code` is stable, and `type` holds it too."""

    model_config = example(PROBLEM)

    type: str = Field(description="Address of the description of this problem, on this service.")
    title: str = Field(description="Name of the problem, for people.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What is wrong and what to do, for people.")
    instance: str = Field(description="This occurrence: its `request` is in the log.")
    code: str = Field(description="Name of the problem, for programs.")
    errors: list[Fault] | None = Field(
        None, description="Every invalid value, up to 20; only if there is more than one."
    )


# Other errors have the status of the nearest base class listed here.
_STATUS: dict[type[ImageSearchError], HTTPStatus] = {
    domain.ImageError: HTTPStatus.BAD_REQUEST,
    domain.UnsupportedFormatError: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    domain.ImageTooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    domain.BadParameterError: HTTPStatus.BAD_REQUEST,
    domain.UnknownProductError: HTTPStatus.NOT_FOUND,
    domain.UnknownCollectionError: HTTPStatus.NOT_FOUND,
    domain.FingerprintMismatchError: HTTPStatus.CONFLICT,
    domain.UnsupportedByModelError: HTTPStatus.CONFLICT,
    domain.PreconditionError: HTTPStatus.PRECONDITION_FAILED,
    domain.StorageError: HTTPStatus.SERVICE_UNAVAILABLE,
    domain.DiskFullError: HTTPStatus.INSUFFICIENT_STORAGE,
    NotReadyError: HTTPStatus.SERVICE_UNAVAILABLE,
    OverloadedError: HTTPStatus.SERVICE_UNAVAILABLE,
    DeadlineError: HTTPStatus.SERVICE_UNAVAILABLE,
    BadRequestError: HTTPStatus.BAD_REQUEST,
    RequestTooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    UnsupportedMediaTypeError: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    ImageUrlDisabledError: HTTPStatus.FORBIDDEN,
    UnknownImageError: HTTPStatus.NOT_FOUND,
    StaleCursorError: HTTPStatus.CONFLICT,
    EventsError: HTTPStatus.SERVICE_UNAVAILABLE,
    UnknownQueryError: HTTPStatus.NOT_FOUND,
    RatingsError: HTTPStatus.SERVICE_UNAVAILABLE,
    RatingsFullError: HTTPStatus.INSUFFICIENT_STORAGE,
    UnauthorizedError: HTTPStatus.UNAUTHORIZED,
    ForbiddenError: HTTPStatus.FORBIDDEN,
    RateLimitedError: HTTPStatus.TOO_MANY_REQUESTS,
    ImageSearchError: HTTPStatus.INTERNAL_SERVER_ERROR,
}

# Errors that are logged at any status, because only operators can correct them.
_OURS = (EventsError, RatingsError, domain.StorageError)
# Those of them that are counted separately.
_REASONS = (domain.DiskFullError.code, domain.ReadOnlyError.code)

# The codes of errors that Flask raises.
_HTTP_CODES = {
    HTTPStatus.BAD_REQUEST: "bad_request",
    HTTPStatus.NOT_FOUND: "not_found",
    HTTPStatus.METHOD_NOT_ALLOWED: "method_not_allowed",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "unsupported_media_type",
}


def status_of(kind: type[ImageSearchError]) -> HTTPStatus:
    """Returns the HTTP status for a class of errors."""
    return next(_STATUS[base] for base in kind.__mro__ if base in _STATUS)


def register(app: Flask) -> None:
    """Makes the application answer every error as a problem document."""
    app.register_error_handler(ImageSearchError, _known)
    app.register_error_handler(RequestEntityTooLarge, _too_large)
    app.register_error_handler(HTTPException, _refused)
    app.register_error_handler(Exception, _unknown)


def _known(error: ImageSearchError) -> Response:
    response = _response(problem_of(error))
    if response.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = str(getattr(error, "retry_after_s", RETRY_AFTER_S))
    if isinstance(error, AccessError):
        response.headers.update(error.headers)
    return response


def problem_of(error: ImageSearchError, request_id: str = "") -> dict[str, Any]:
    """Returns the problem document of an error; logs it if operators must know.

    Args:
        error: of the request.
        request_id: of the request; by default that of the current one.
    """
    status = status_of(type(error))
    internal = status == HTTPStatus.INTERNAL_SERVER_ERROR
    report(error)
    document = _document(status, error.code, detail_of(error, internal=internal), request_id)
    faults = error.faults if isinstance(error, domain.BadParameterError) else {}
    if len(faults) > 1:
        document["errors"] = [{"name": name, "detail": text} for name, text in faults.items()]
    return document


def report(error: ImageSearchError, operations: int = 1) -> None:
    """Logs an error if operators must know it, and counts failures of the storage.

    Args:
        error: reported in a response or in a part of one.
        operations: number of operations that failed because of it.
    """
    several = f" ({operations:,} operations)" if operations > 1 else ""
    internal = status_of(type(error)) == HTTPStatus.INTERNAL_SERVER_ERROR
    if internal or isinstance(error, _OURS):
        log.error("%s: %s%s", error.code, error, several)
    elif error.hint:
        log.info("%s: %s%s", error.code, error, several)
    if isinstance(error, _OURS):
        reason = error.code if error.code in _REASONS else "unavailable"
        STORAGE_FAILURES.labels(reason).inc(operations)


def _too_large(_: RequestEntityTooLarge) -> Response:
    limit = current_app.config["MAX_CONTENT_LENGTH"]
    return _known(
        RequestTooLargeError(
            f"the body, one of its fields or the number of its parts is too large; a body has at"
            f" most {limit:,} bytes: send fewer or smaller photos"
        )
    )


def _refused(error: HTTPException) -> Response:
    status = HTTPStatus(error.code or HTTPStatus.INTERNAL_SERVER_ERROR)
    code = _HTTP_CODES.get(status, status.name.lower())
    response = problem(status, code, _reason(status, error))
    for name, value in error.get_headers():
        if name in ("Allow", "Location"):
            response.headers[name] = value
    return response


def _reason(status: HTTPStatus, error: HTTPException) -> str:
    if status == HTTPStatus.NOT_FOUND:
        return f"there is nothing at {request.path!r:.200}; /openapi.json lists all paths"
    if isinstance(error, MethodNotAllowed):
        valid = ", ".join(sorted(error.valid_methods or ()))
        return f"received {request.method}; this path takes {valid}"
    if status == HTTPStatus.BAD_REQUEST:
        return "the request is malformed, or its body is incomplete"
    return error.description or status.description


def _unknown(error: Exception) -> Response:
    log.exception("unexpected error", exc_info=error)
    detail = "an unexpected error inside the service, which has logged it"
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", detail)


def problem(status: HTTPStatus, code: str, detail: str) -> Response:
    """Returns a problem document. `code` is stable, `detail` is for people."""
    return _response(_document(status, code, detail))


def _document(status: HTTPStatus, code: str, detail: str, request_id: str = "") -> dict[str, Any]:
    return {
        # Relative to the service: its operator need not publish a page for it.
        "type": f"{PAGE}#{code}",
        "title": title_of(code),
        "status": int(status),
        "detail": detail,
        "instance": f"{PAGE}?request={quote(request_id or current_request_id(), safe='')}",
        "code": code,
    }


def _response(document: dict[str, Any]) -> Response:
    body = json.dumps(document, ensure_ascii=False)
    return Response(body, status=document["status"], content_type="application/problem+json")

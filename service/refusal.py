"""Refusing a request without the application: what an overloaded process can still afford."""

import json
import re
import time
import uuid
from contextlib import suppress
from http import HTTPStatus
from socket import MSG_DONTWAIT, MSG_PEEK, socket

from service.errors import OverloadedError, problem_of
from service.http import logs, metrics

# What is read of a request to see what it is, and the paths whose requests carry photos.
_HEAD = 8192
_PHOTO = re.compile(rb"POST /v1/(?:search|explain)\b")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,9})\r\n", re.IGNORECASE)
_PIECE = 262_144
# For the rest of a body that is on its way; a slow sender must not hold up the refusing of others.
_PATIENCE_S = 0.2
_AT_MOST_S = 1.0
RETRY_AFTER_S = 1


def carries_photo(connection: socket) -> bool | None:
    """Whether the request that waits on a connection has a photo; None if nothing is there yet."""
    try:
        return _PHOTO.match(connection.recv(64, MSG_PEEK | MSG_DONTWAIT)) is not None
    except BlockingIOError:
        return None
    except OSError:  # gone; whoever reads on finds out
        return False


def refuse(connection: socket, most: int) -> None:
    """Reads a request and answers it with 503.

    The body is read, up to `most` bytes, as far as it comes: a connection that is closed with
    unread bytes is reset, and the client may never see the answer.
    """
    connection.settimeout(_PATIENCE_S)
    request_id = uuid.uuid4().hex
    with suppress(OSError):  # gone, there is no one to tell
        with suppress(TimeoutError):
            _read_request(connection, most)
        connection.sendall(_answer(request_id))
    metrics.REFUSED.labels("in_flight").inc()
    metrics.REQUESTS.labels("search", 503).inc()
    logs.log.info("refused", extra={"request_id": request_id, "status": 503})


def _read_request(connection: socket, most: int) -> None:
    end = time.monotonic() + _AT_MOST_S
    head = b""
    while b"\r\n\r\n" not in head:
        piece = connection.recv(_PIECE)
        if not piece or len(head) > _HEAD + _PIECE or time.monotonic() > end:
            return
        head += piece
    head, _, body = head.partition(b"\r\n\r\n")
    length = _LENGTH.search(head + b"\r\n")
    left = min(most, int(length[1])) - len(body) if length else 0
    while left > 0 and time.monotonic() < end:
        piece = connection.recv(min(left, _PIECE))
        left = left - len(piece) if piece else 0


def _answer(request_id: str) -> bytes:
    problem = problem_of(OverloadedError(RETRY_AFTER_S))
    body = json.dumps(problem).encode()
    status = HTTPStatus.SERVICE_UNAVAILABLE
    head = (
        f"HTTP/1.1 {int(status)} {status.phrase}\r\n"
        "Content-Type: application/problem+json\r\n"
        f"Content-Length: {len(body)}\r\n"
        f"Retry-After: {RETRY_AFTER_S}\r\n"
        f"{logs.HEADER}: {request_id}\r\n"
        "X-Content-Type-Options: nosniff\r\n"
        # There is nothing in it that the page of another origin must not read.
        "Access-Control-Allow-Origin: *\r\n"
        f"Access-Control-Expose-Headers: Retry-After, {logs.HEADER}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode() + body

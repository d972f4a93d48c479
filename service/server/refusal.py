"""Answers 503 without calling the application, at low cost."""

import json
import uuid
from http import HTTPStatus

from service.engine import metrics
from service.errors import OverloadedError
from service.http import logs
from service.http.problems import problem_of

RETRY_AFTER_S = 1


def overloaded(*, keep: bool) -> bytes:
    """Returns the complete 503 answer; counts and logs it.

    Args:
        keep: whether the connection can be used again.
    """
    request_id = uuid.uuid4().hex
    metrics.REFUSED.labels("in_flight").inc()
    metrics.REQUESTS.labels("search", 503).inc()
    logs.log.info("refused", extra={"request_id": request_id, "status": 503})
    body = json.dumps(problem_of(OverloadedError(RETRY_AFTER_S), request_id)).encode()
    status = HTTPStatus.SERVICE_UNAVAILABLE
    head = (
        f"HTTP/1.1 {int(status)} {status.phrase}\r\n"
        "Content-Type: application/problem+json\r\n"
        f"Content-Length: {len(body)}\r\n"
        f"Retry-After: {RETRY_AFTER_S}\r\n"
        "Cache-Control: no-store\r\n"
        f"{logs.HEADER}: {request_id}\r\n"
        "X-Content-Type-Options: nosniff\r\n"
        # Pages of any origin may read it: it has no private data.
        "Access-Control-Allow-Origin: *\r\n"
        f"Access-Control-Expose-Headers: Retry-After, {logs.HEADER}\r\n"
        f"Connection: {'keep-alive' if keep else 'close'}\r\n\r\n"
    )
    return head.encode() + body

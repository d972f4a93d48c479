"""The headers of requests and responses, for the OpenAPI document."""

from collections.abc import Container, Iterable, Iterator

from service.http.descriptions import Json

_TEXT: Json = {"type": "string"}
HEADERS: Json = {
    "X-Request-ID": {
        "description": "Names the request in the log; that of the request, if it has one.",
        "schema": _TEXT,
    },
    "Cache-Control": {
        "description": "Who may keep the response, and how long.",
        "schema": _TEXT,
        "example": "no-cache, private",
    },
    "RateLimit-Policy": {
        "description": "The limits of this client, if it has any: `q` requests in `w` seconds"
        " (draft-ietf-httpapi-ratelimit-headers-11).",
        "schema": _TEXT,
        "example": '"address";q=600;w=60, "key";q=6000;w=60',
    },
    "RateLimit": {
        "description": "Of each limit: `r` requests are left for the next `t` seconds.",
        "schema": _TEXT,
        "example": '"address";r=598;t=31, "key";r=5912;t=31',
    },
    "ETag": {
        "description": "Stands for the content; for `If-None-Match`, and `If-Match` of changes.",
        "schema": _TEXT,
        "example": '"2f1c7f6d9d2c4b6f8a3e5d7c9b1a0f42"',
    },
    "Location": {
        "description": "Address of the product, or of the photo.",
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "Retry-After": {
        "description": "Seconds after which the request may succeed.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "WWW-Authenticate": {"description": "How to send a key (RFC 6750).", "schema": _TEXT},
}
_WRITES = ("put", "patch")  # methods whose answers have an ETag


def headers_of(method: str, status: int, statuses: Container[str], *, limited: bool) -> Json:
    """Returns the headers of a response.

    Args:
        method: in lower case.
        status: of the response.
        statuses: all that the operation answers.
        limited: whether rate limits count the operation.
    """
    names = _names(method, status, "304" in statuses, limited)
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def preconditions(method: str, statuses: Iterable[int]) -> list[Json]:
    """Returns the headers of a request that make it conditional, as parameters."""
    names: Json = {}
    if 304 in statuses:
        names["If-None-Match"] = "ETags of kept responses: 304 if one of them is current."
    if method in (*_WRITES, "delete"):
        names["If-Match"] = "ETag of the product: 412 if it has changed. `*`: it must exist."
        names["If-None-Match"] = "`*`: 412 if the product exists."
    return [
        {"name": name, "in": "header", "description": text, "schema": _TEXT}
        for name, text in names.items()
    ]


def _names(method: str, status: int, revalidates: bool, limited: bool) -> Iterator[str]:
    yield from ("X-Request-ID", "Cache-Control")
    if limited:
        yield from ("RateLimit-Policy", "RateLimit")
    if (status in (200, 304) and revalidates) or (status in (200, 201) and method in _WRITES):
        yield "ETag"
    if status in (201, 302):
        yield "Location"
    if status in (429, 503):
        yield "Retry-After"
    if status in (401, 403):
        yield "WWW-Authenticate"

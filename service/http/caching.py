"""`Cache-Control` and `ETag` of responses, and the answer 304."""

from flask import request
from werkzeug.wrappers import Response

YEAR_S = 365 * 24 * 3600


def kept(response: Response, seconds: int) -> Response:
    """Lets every cache keep a response; for `YEAR_S`, the address must stand for the content."""
    cache = response.cache_control
    cache.no_cache = None  # Flask's default for files
    cache.public, cache.max_age = True, seconds
    cache.immutable = seconds == YEAR_S
    return response


def revalidated(
    response: Response, etag: str | None = None, *, weak: bool = False, private: bool = False
) -> Response:
    """Lets caches keep a response that they ask for each time; 304 if the client has it.

    Args:
        response: a complete one.
        etag: stands for its content; by default, a hash of the body.
        weak: the content may differ in what does not matter to clients.
        private: it needs a key, so that no shared cache may keep it.
    """
    response.cache_control.no_cache = True
    if private:
        response.cache_control.private = True
        response.vary.update(("Authorization", "X-API-Key"))
    if etag is None:
        response.add_etag()
    else:
        response.set_etag(etag, weak)
    return response.make_conditional(request)

"""Lets web pages of other origins call the service (CORS)."""

from collections.abc import Collection

from flask import Flask, Response, request

from service.http.logs import HEADER

# Keys are sent in headers, never in cookies, so credentials are not allowed.
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE",
    "Access-Control-Allow-Headers": (
        f"Authorization, Content-Type, If-Match, If-None-Match, X-API-Key, {HEADER}"
    ),
    "Access-Control-Max-Age": "86400",
}
_EXPOSED = f"ETag, Location, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, {HEADER}"


def register(app: Flask, origins: Collection[str]) -> None:
    """Adds CORS headers for these origins to every response, including problems."""

    @app.after_request
    def allow(response: Response) -> Response:
        response.vary.add("Origin")
        if (origin := request.origin) in origins:
            response.headers["Access-Control-Allow-Origin"] = str(origin)
            response.headers["Access-Control-Expose-Headers"] = _EXPOSED
            if "Access-Control-Request-Method" in request.headers:
                response.headers.update(_PREFLIGHT)
        return response

"""Authorisation: keys, rate limits, other origins; checked before a body is read.

`scopes` declares the scope of each endpoint, `guard` checks keys, `rates` limits requests, `cors`
allows pages of other origins. None of them depends on what the endpoints do.
"""

from flask import Flask, Response, current_app, g, request
from werkzeug.middleware.proxy_fix import ProxyFix

from indexer.config import Settings
from service.access import cors
from service.access.guard import Guard
from service.access.scopes import scope_of


def register(app: Flask, settings: Settings) -> None:
    """Makes the application check every request."""
    access = settings.access
    if access.trusted_proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=access.trusted_proxies, x_proto=0, x_host=0
        )
    guard = app.extensions["guard"] = Guard(settings)
    app.before_request(guard.check)
    app.after_request(_keep_private)
    app.after_request(_tell_limits)
    if access.cors_origins:
        cors.register(app, access.cors_origins)


def _keep_private(response: Response) -> Response:
    """Forbids caching of responses that need a key: a cache would serve them without one."""
    rule = request.url_rule
    if rule and scope_of(current_app, request.method, rule.rule) is not None:
        response.headers.setdefault("Cache-Control", "private, no-store")
    return response


def _tell_limits(response: Response) -> Response:
    for name, value in g.get("rate_limits", {}).items():
        response.headers.setdefault(name, value)  # a refusal tells its own
    return response

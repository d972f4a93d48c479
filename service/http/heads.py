"""Answers requests whose head is already wrong, before their body is read."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Flask, Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from service.errors import BadRequestError
from service.server.lifecycle import BODY, TO_COME, WITH_BODY

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class HeadsFirst:
    """The innermost WSGI middleware: checks the head before the body is read.

    Sends `100 Continue` unless the key, path, method or announced length is wrong, or the method
    has no body.
    """

    def __init__(self, app: Flask, inner: "WSGIApplication") -> None:
        self._app = app
        self._inner = inner

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        if environ.get(BODY) != TO_COME:
            return self._inner(environ, start_response)
        with self._app.request_context(environ):
            refusal = self._refusal()
            if refusal is not None:
                return refusal(environ, start_response)
        start_response("100 Continue", [])
        return []

    def _refusal(self) -> Response | None:
        app = self._app
        try:
            app.preprocess_request()
            if request.routing_exception:
                raise request.routing_exception
            if request.method not in WITH_BODY:
                raise BadRequestError(f"received {request.method} with a body; send none")
            if (request.content_length or 0) > app.config["MAX_CONTENT_LENGTH"]:
                raise RequestEntityTooLarge
        except Exception as error:  # as Flask does for a whole request
            return app.finalize_request(app.handle_user_exception(error))
        return None

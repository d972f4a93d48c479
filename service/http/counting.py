"""Counts the requests for `/metrics`."""

import time
from http import HTTPStatus

from flask import Flask, Response, g, request

from service.engine.metrics import REQUEST_SECONDS, REQUESTS


def register(app: Flask) -> None:
    """Makes the application count its requests, once `logs` notes when they begin."""

    @app.after_request
    def count(response: Response) -> Response:
        # Names of endpoints, not paths: those are as many as there are products.
        endpoint = (request.endpoint or "none").rpartition(".")[2]
        REQUESTS.labels(endpoint, response.status_code).inc()
        REQUEST_SECONDS.labels(endpoint).observe(time.perf_counter() - g.began)
        return response


def start_at_0(app: Flask) -> None:
    """Shows the faults of every endpoint before the first one, so that alerts see it.

    Prometheus sees no rise in a series that begins with its first value.
    """
    endpoints = {rule.endpoint.rpartition(".")[2] for rule in app.url_map.iter_rules()}
    for endpoint in endpoints | {"none"}:
        REQUESTS.labels(endpoint, HTTPStatus.INTERNAL_SERVER_ERROR.value)

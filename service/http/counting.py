"""Counts the requests for `/metrics`."""

import time
from http import HTTPStatus

from flask import Flask, Response, g, request

from service.engine.metrics import REQUEST_SECONDS, REQUESTS


def register(app: Flask) -> None:
    """Makes the application count its requests; call after `logs.register`, which times them."""

    @app.after_request
    def count(response: Response) -> Response:
        # Names of endpoints: paths are as many as products.
        endpoint = (request.endpoint or "none").rpartition(".")[2]
        REQUESTS.labels(endpoint, response.status_code).inc()
        REQUEST_SECONDS.labels(endpoint).observe(time.perf_counter() - g.began)
        return response


def start_at_0(app: Flask) -> None:
    """Starts the count of server errors of every endpoint at 0, so that alerts see the first one.

    Prometheus does not detect an increase from no value.
    """
    endpoints = {rule.endpoint.rpartition(".")[2] for rule in app.url_map.iter_rules()}
    for endpoint in endpoints | {"none"}:
        REQUESTS.labels(endpoint, HTTPStatus.INTERNAL_SERVER_ERROR.value)

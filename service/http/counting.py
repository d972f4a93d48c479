"""Counts the requests for `/metrics`."""

import time

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

"""Every answer that a test gets is checked against /openapi.json, whatever the test is about."""

import re
from functools import cache
from typing import Any

from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map
from werkzeug.test import TestResponse

from indexer.errors import ImageSearchError
from service.api.pages import document
from service.http.routing import KeepEncodedSlashes

PROBLEM = {"type", "title", "status", "detail", "instance", "code"}
# Documented wherever they occur.
_HEADERS = ("ETag", "Location", "RateLimit", "Retry-After", "WWW-Authenticate")
_CODES = re.compile(r"[a-z]+(?:_[a-z]+)*(?=[,.])")


class DocumentedClient(FlaskClient):
    """Flask's client; an answer that the document does not promise fails the test."""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        response = super().open(*args, **{"buffered": True, **kwargs})
        check(response, self.application.url_map)
        return response


def template_of(rule: str) -> str:
    """A Flask rule as OpenAPI writes it: `/a/<int:b>` -> `/a/{b}`."""
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule)


def check(response: TestResponse, routes: Map) -> None:
    """Fails unless the document lists this answer, and it is as described there."""
    operation = _operation(dict(response.request.environ), routes)
    if operation is None:
        assert response.status_code in (200, 304, 404, 405), response.text
        return
    described = operation["responses"].get(str(response.status_code))
    assert described, f"{response.status_code} is not documented: {response.text}"
    assert {"X-Request-ID", "Cache-Control"} <= set(response.headers.keys())
    for name in _HEADERS:
        assert name not in response.headers or name in described["headers"], name
    content = described.get("content", {}).get(response.mimetype, {})
    if (schema := content.get("schema")) and "Content-Encoding" not in response.headers:
        validator(schema).validate(response.get_json())
    if response.mimetype == "application/problem+json":
        code = response.get_json()["code"]
        assert code in _CODES.findall(described["description"]), f"{code} is not documented"


def _operation(environ: dict[str, Any], routes: Map) -> dict[str, Any] | None:
    KeepEncodedSlashes(lambda *_: [])(environ, lambda *_: lambda _: None)
    adapter, method = routes.bind_to_environ(environ), environ["REQUEST_METHOD"]
    try:
        rule, _ = adapter.match(method=method, return_rule=True)
    except HTTPException:
        return None
    path: dict[str, dict[str, Any]] = document()["paths"].get(template_of(rule.rule), {})
    return path.get(method.lower())


@cache
def _components() -> dict[str, Any]:
    components: dict[str, Any] = document()["components"]
    return components


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    """A validator of a schema of the document."""
    return Draft202012Validator({**schema, "components": _components()})


def check_problem(document: dict[str, Any]) -> None:
    assert set(document) - {"errors"} == PROBLEM
    assert document["type"] == f"/problems#{document['code']}"
    assert re.fullmatch(r"/problems\?request=[\w.%-]+", document["instance"])
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", document["code"])
    assert document["title"]
    assert document["detail"].strip()


def subclasses(kind: type[ImageSearchError]) -> set[type[ImageSearchError]]:
    """An error class with all that are derived from it."""
    return {kind}.union(*(subclasses(sub) for sub in kind.__subclasses__()))

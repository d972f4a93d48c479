"""What cannot be answered: every error of every endpoint is a problem document."""

import base64
import gzip
import io
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from indexer.arrays import Vectors
from indexer.embedding.base import Photos
from indexer.errors import ImageSearchError
from service.http.problems import status_of
from tests.conftest import Store, png
from tests.fakes import FakeEmbedder
from tests.processes import multipart
from tests.service.conftest import MOST_BYTES, serving
from tests.service.contract import PROBLEM

Send = Callable[[FlaskClient], Any]


def post(**options: Any) -> Send:
    return lambda client: client.post("/v1/search", **options)


def form(*photos: bytes, **fields: object) -> dict[str, Any]:
    return text(*multipart(*photos, **fields))


def text(body: bytes | str, content_type: str = "application/json") -> dict[str, Any]:
    return {"data": body, "content_type": content_type}


def latin(*photos: bytes, **fields: object) -> dict[str, Any]:
    """A form whose fields are not UTF-8."""
    body, content_type = multipart(*photos, **fields)
    return text(body.replace("\xfc".encode(), b"\xfc"), content_type)


GZIP = {"Content-Encoding": "gzip"}
SIMILAR = "/v1/products/red/similar"


def get(path: str) -> Send:
    return lambda client: client.get(path)


IMAGE = base64.b64encode(png("red")).decode()


def test_base64_may_have_line_breaks(client: FlaskClient) -> None:
    wrapped = base64.encodebytes(png("red")).decode()
    for photo in (wrapped, wrapped.replace("\n", "\r\n"), f"data:image/png;base64,{wrapped}"):
        answer = client.post("/v1/search", json={"image_base64": photo})
        assert answer.status_code == 200


@pytest.mark.parametrize(
    ("photo", "told"),
    [
        (f"{IMAGE[:8]}*{IMAGE[8:]}", "'*' at character 8"),
        (f"{IMAGE[:8]} {IMAGE[8:]}", "' ' at character 8"),
        (f"{IMAGE[:8]}_{IMAGE[8:]}", "the URL-safe alphabet is not accepted"),
        ("ü", "'ü' at character 0"),
        ("AA=A", "'=' at character 2, before the end"),
        ("AAAAA", "5 characters and 0 '=' of padding"),
        ("AAAAAA=", "it may be incomplete"),
    ],
)
def test_base64_that_cannot_be_read_is_refused_with_what_is_wrong_and_where(
    client: FlaskClient, photo: str, told: str
) -> None:
    for path, field in (("/v1/search", {}), ("/v1/explain", {"result": "red"})):
        answer = client.post(path, json={"image_base64": photo, **field}).json
        assert answer is not None
        assert answer["code"] == "bad_parameter"
        assert answer["detail"].startswith("image_base64: invalid base64: ")
        assert told in answer["detail"]


def test_a_form_that_is_cut_or_has_no_boundary_says_so(client: FlaskClient) -> None:
    body, content_type = multipart(png("red"))
    for cut in (10, 60, len(body) // 2, len(body) - 10):
        for path in ("/v1/search", "/v1/explain"):
            answer = client.post(path, data=body[:cut], content_type=content_type).json
            assert answer is not None
            assert answer["code"] == "bad_request"
            assert "ends before its closing boundary" in answer["detail"]
    answer = client.post("/v1/search", data=body, content_type="multipart/form-data").json
    assert answer is not None
    assert "has no boundary" in answer["detail"]


def test_the_one_photo_of_an_explanation_is_asked_for_in_the_singular(client: FlaskClient) -> None:
    sent = form(png("red"), png("navy"), result="red")
    assert client.post("/v1/explain", **sent).json["detail"].endswith("send one photo")  # type: ignore[index]


BY_ID, EVENT = {"product_id": "red"}, {"query_id": "0" * 32, "product_id": "red", "action": "click"}
TWICE: dict[str, Send] = {
    "JSON": lambda client: client.post(
        "/v1/search?filter=price<5", json={**BY_ID, "filter": ["price<9"]}
    ),
    "a form": lambda client: client.post("/v1/search?limit=5", **form(png("red"), limit=9)),
    "an explanation": lambda client: client.post(
        "/v1/explain?collection=default", json={**BY_ID, "result": "red", "collection": "default"}
    ),
}


@pytest.mark.parametrize("send", TWICE.values(), ids=TWICE)
def test_a_parameter_in_the_url_and_in_the_body_is_refused(client: FlaskClient, send: Send) -> None:
    answer = send(client)
    assert (answer.status_code, answer.json["code"]) == (400, "bad_parameter")
    assert "send it once" in answer.json["detail"]


@pytest.mark.parametrize(
    ("path", "body"), [("/v1/explain", {**BY_ID, "result": "red"}), ("/v1/events", EVENT)]
)
def test_unknown_parameters_in_the_url_are_refused(
    client: FlaskClient, path: str, body: dict[str, str]
) -> None:
    answer = client.post(f"{path}?colection=shoes", json=body)
    assert (answer.status_code, answer.json and answer.json["code"]) == (400, "bad_parameter")
    assert "'colection'" in answer.text


REFUSED: dict[str, tuple[Send, int, str]] = {
    "no such path": (get("/v1/nothing"), 404, "not_found"),
    "no such file of the page": (get("/static/nothing.js"), 404, "not_found"),
    "a file beside the page": (get("/static/..%2Fwsgi.py"), 404, "not_found"),
    "a doubled slash": (get("/v1//products/red"), 404, "not_found"),
    "no product id": (get("/v1/products/"), 404, "not_found"),
    "unknown product": (get("/v1/products/nothing"), 404, "unknown_product"),
    "similar to an unknown product": (get("/v1/products/no/similar"), 404, "unknown_product"),
    "search from an unknown product": (post(json={"product_id": "no"}), 404, "unknown_product"),
    "a product id that is no text": (post(json={"product_id": 5}), 400, "bad_parameter"),
    "a product id of half a character": (
        post(**text('{"product_id": "\\ud800"}')),
        404,
        "unknown_product",
    ),
    "a path in Latin-1": (get("/v1/products/gr%FC%DF"), 400, "bad_parameter"),
    "half of a letter in a path": (get("/v1/products/a%C3/similar"), 400, "bad_parameter"),
    "a query string in Latin-1": (get(f"{SIMILAR}?collection=%FC"), 400, "bad_parameter"),
    "a name in Latin-1": (get(f"{SIMILAR}?%FC=1"), 400, "bad_parameter"),
    "a field in Latin-1": (post(**latin(png("red"), filter="color:gr\xfcn")), 400, "bad_parameter"),
    "a field's name in Latin-1": (post(**latin(png("red"), grün="1")), 400, "bad_request"),
    "unknown image": (get("/v1/images/999999"), 404, "unknown_image"),
    "an image id beyond all numbers": (get(f"/v1/images/{'9' * 30}"), 404, "unknown_image"),
    "an image id of too many digits": (get(f"/v1/images/{'9' * 5000}"), 404, "not_found"),
    "a path as an image": (get("/v1/images/..%2F..%2Fetc%2Fpasswd"), 404, "not_found"),
    "an image id in digits of another script": (get("/v1/images/%D9%A1"), 404, "not_found"),
    "a negative image": (get("/v1/images/-1"), 404, "not_found"),
    "a path as a parameter": (get("/v1/images/1?path=/etc/passwd"), 400, "bad_parameter"),
    "a path as a collection": (get("/v1/images/1?collection=../x"), 404, "unknown_collection"),
    "unknown collection": (get("/v1/products/red?collection=no"), 404, "unknown_collection"),
    "similar in no collection": (
        get("/v1/products/red/similar?collection=no"),
        404,
        "unknown_collection",
    ),
    "search in no collection": (
        post(json={"product_id": "red", "collection": "no"}),
        404,
        "unknown_collection",
    ),
    "unknown parameter of a product": (get("/v1/products/red?limit=1"), 400, "bad_parameter"),
    "an unknown parameter of half a character": (
        post(**text('{"product_id": "red", "\\ud800": 1}')),
        400,
        "bad_parameter",
    ),
    "another method": (lambda client: client.delete("/v1/search"), 405, "method_not_allowed"),
    "a write to a product": (
        lambda client: client.post("/v1/products/red"),
        405,
        "method_not_allowed",
    ),
    "a body too large": (post(**text(bytes(MOST_BYTES + 1))), 413, "request_too_large"),
    "a form too large": (post(**form(bytes(MOST_BYTES + 1))), 413, "request_too_large"),
    "a field too large": (post(**form(png("red"), note="x" * 600_000)), 413, "request_too_large"),
    "a form of too many parts": (
        post(**form(**{f"field-{number}": number for number in range(1001)})),
        413,
        "request_too_large",
    ),
    "a photo too large": (post(**form(bytes(20 * 1024 * 1024 + 1))), 413, "image_too_large"),
    "no body": (post(), 415, "unsupported_media_type"),
    "plain text": (post(**text("red", "text/plain")), 415, "unsupported_media_type"),
    "a bare photo": (post(**text(png("red"), "image/png")), 415, "unsupported_media_type"),
    "no JSON": (post(**text("{")), 400, "bad_request"),
    "empty JSON": (post(**text("")), 400, "bad_request"),
    "JSON in no encoding": (post(**text(b'"\xff\xfe\xfa')), 400, "bad_request"),
    "JSON in gzip": (
        post(**text(gzip.compress(b'{"product_id": "red"}')), headers=GZIP),
        415,
        "unsupported_media_type",
    ),
    "a form in gzip": (
        post(**{**form(png("red")), "headers": GZIP}),
        415,
        "unsupported_media_type",
    ),
    "events in gzip": (
        lambda client: client.post("/v1/events", **text(gzip.compress(b"{}")), headers=GZIP),
        415,
        "unsupported_media_type",
    ),
    "a box of a product": (
        post(json={"product_id": "red", "box": "0,0,1,1"}),
        400,
        "bad_parameter",
    ),
    "auto of a product": (post(json={"product_id": "red", "box": "auto"}), 400, "bad_parameter"),
    "a box of products": (post(json={"more_like": ["red"], "box": "auto"}), 400, "bad_parameter"),
    "a box beside a product": (get(f"{SIMILAR}?box=auto"), 400, "bad_parameter"),
    "a box of an explained product": (
        lambda client: client.post(
            "/v1/explain", json={"product_id": "red", "result": "navy", "box": "auto"}
        ),
        400,
        "bad_parameter",
    ),
    "zipped JSON": (post(**text(gzip.compress(b"{}"))), 400, "bad_request"),
    "a JSON list": (post(json=[]), 400, "bad_request"),
    "deep JSON": (post(**text("[" * 15_000)), 400, "bad_request"),
    "deep JSON in an object": (post(**text('{"limit":' * 15_000)), 400, "bad_request"),
    "a long number": (post(**text(f'{{"limit": {"9" * 5000}}}')), 400, "bad_request"),
    "not a number": (post(**text('{"product_id":"red","limit":NaN}')), 400, "bad_parameter"),
    "a JSON query for nothing": (post(json={}), 400, "bad_request"),
    "a query for two things": (
        post(json={"product_id": "red", "image_base64": "AA=="}),
        400,
        "bad_request",
    ),
    "no base64": (post(json={"image_base64": "not base64!"}), 400, "bad_parameter"),
    "base64 of another alphabet": (post(json={"image_base64": "ж"}), 400, "bad_parameter"),
    "half a data URL": (post(json={"image_base64": "data:image/png"}), 400, "image_empty"),
    "base64 of nothing": (post(json={"image_base64": ""}), 400, "image_empty"),
    "base64 of no photo": (
        post(json={"image_base64": base64.b64encode(b"some text").decode()}),
        415,
        "unsupported_format",
    ),
    "a form without a photo": (post(data={"limit": 1}), 415, "unsupported_media_type"),
    "a form without a file": (
        post(data={"limit": 1}, content_type="multipart/form-data"),
        400,
        "bad_request",
    ),
    "a form without a boundary": (post(**text("x", "multipart/form-data")), 400, "bad_request"),
    "a form cut short": (
        post(
            **text(
                '--b\r\nContent-Disposition: form-data; name="i', "multipart/form-data; boundary=b"
            )
        ),
        400,
        "bad_request",
    ),
    "a photo as text": (
        post(data={"image": "text"}, content_type="multipart/form-data"),
        400,
        "bad_request",
    ),
    "a photo of another name": (
        lambda client: post(
            data={"photo": (io.BytesIO(png("red")), "p")}, content_type="multipart/form-data"
        )(client),
        400,
        "bad_parameter",
    ),
    "nine photos": (post(**form(*[png("red")] * 9)), 400, "bad_request"),
    "one bad photo of two": (post(**form(png("red"), b"text")), 415, "unsupported_format"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_request_is_answered_with_a_problem_and_its_own_code(
    client: FlaskClient, case: str
) -> None:
    send, status, code = REFUSED[case]
    response = send(client)
    assert (response.status_code, response.mimetype) == (status, "application/problem+json")
    assert (response.json["status"], response.json["code"]) == (status, code)
    check_problem(response.json)


def check_problem(document: dict[str, Any]) -> None:
    assert set(document) == PROBLEM
    assert document["type"].endswith(f":{document['code']}")
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", document["code"])
    assert document["title"]
    assert document["detail"].strip()


def _concrete(rule: str) -> str:
    return rule.replace("<product_id:product_id>", "red").replace("<int:image_id>", "1")


def test_every_route_refuses_other_methods_with_a_problem_that_allows_its_own(
    client: FlaskClient,
) -> None:
    rules = [rule for rule in client.application.url_map.iter_rules() if "<path" not in rule.rule]
    assert len(rules) >= 8
    for rule in rules:
        assert rule.methods is not None
        response = client.open(_concrete(rule.rule), method="TRACE")
        assert response.status_code == 405
        assert response.mimetype == "application/problem+json"
        # Several rules may share a path.
        assert set(response.headers["Allow"].split(", ")) >= rule.methods
        assert response.json is not None
        check_problem(response.json)


SECURE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
PATHS = ["/", "/static/app.js", "/healthz", "/readyz", "/openapi.json", "/v1/products/red"]
MORE_PATHS = ["/v1/products/red/similar", "/v1/images/1", "/nothing", "/v1/search"]


@pytest.mark.parametrize("path", PATHS + MORE_PATHS)
def test_every_answer_carries_the_security_headers(client: FlaskClient, path: str) -> None:
    headers = client.get(path).headers
    assert {name: headers.get(name) for name in SECURE} == SECURE
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    images = next(each for each in policy.split("; ") if each.startswith("img-src"))
    assert {"http:", "https:"} <= set(images.split())  # feeds name photos on either
    assert "frame-ancestors 'none'" in policy


class _Broken(FakeEmbedder):
    def embed_batch(self, images: Photos) -> Vectors:
        if images.any():  # what comes before is the warm-up
            raise RuntimeError(f"secret detail of {images.shape}")
        return super().embed_batch(images)


def test_an_unexpected_fault_is_a_500_that_tells_no_secrets_and_is_logged(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(store.catalog.folder.parent, load=lambda _: _Broken()) as client:
        response = client.post("/v1/search", **form(png("red")))
        assert client.get("/healthz").status_code == 200
    assert (response.status_code, response.mimetype) == (500, "application/problem+json")
    assert response.json is not None
    check_problem(response.json)
    assert response.json["code"] == "internal_error"
    assert "secret" not in response.text
    assert "Traceback" not in response.text
    assert "secret detail" in caplog.text
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def subclasses(kind: type[ImageSearchError]) -> set[type[ImageSearchError]]:
    """An error class with all that are derived from it."""
    return {kind}.union(*(subclasses(sub) for sub in kind.__subclasses__()))


def test_every_error_class_has_a_status() -> None:
    for kind in subclasses(ImageSearchError):
        assert 400 <= status_of(kind) < 600


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
NAMES = ["image_base64", "product_id", "limit", "offset", "min_score", "collection", "other"]


@given(st.dictionaries(st.sampled_from(NAMES), JSON_VALUES))
def test_no_json_is_answered_with_a_server_error(client: FlaskClient, query: object) -> None:
    response = client.post("/v1/search", **text(json.dumps(query)))
    assert response.status_code < 500


@given(st.binary())
def test_no_bytes_are_answered_with_a_server_error(client: FlaskClient, body: bytes) -> None:
    for content_type in ("application/json", "multipart/form-data; boundary=b"):
        assert client.post("/v1/search", **text(body, content_type)).status_code in (400, 413, 415)
    assert client.post("/v1/search", **form(body)).status_code in (400, 413, 415)

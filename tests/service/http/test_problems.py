"""What cannot be answered: every error of every endpoint is a problem document."""

import base64
import json

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from indexer.arrays import Vectors
from indexer.embedding.base import PixelBatch
from indexer.errors import ImageSearchError
from service.http.problems import status_of
from tests.conftest import Store, png
from tests.fakes import FakeEmbedder
from tests.processes import multipart
from tests.service.conftest import serving
from tests.service.contract import check_problem, subclasses
from tests.service.http.refused import BY_ID, EVENT, IMAGE, REFUSED, Send, form, text


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


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_request_is_answered_with_a_problem_and_its_own_code(
    client: FlaskClient, case: str
) -> None:
    send, status, code = REFUSED[case]
    response = send(client)
    assert (response.status_code, response.mimetype) == (status, "application/problem+json")
    assert (response.json["status"], response.json["code"]) == (status, code)
    check_problem(response.json)


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
    def embed_batch(self, images: PixelBatch) -> Vectors:
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

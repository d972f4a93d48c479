"""What a problem says: plain words, of what the client itself can change."""

import base64
import io
import re
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from PIL import Image

from indexer.access.keys import Keys
from indexer.config import AccessSettings, EmbeddingSettings, FetchSettings
from indexer.embedding import Embedder
from indexer.errors import ImageSearchError, WeightsError
from service.http.problems import problem_of, status_of
from tests.conftest import Store, png
from tests.processes import multipart
from tests.service.conftest import serving
from tests.service.contract import subclasses
from tests.service.http.refused import REFUSED

ID = "0" * 32
EVENT = {"query_id": ID, "product_id": "red", "action": "click"}
PHOTO = base64.b64encode(png("red")).decode()
# Of pydantic, of Python, of regular expressions; and what only the operator can do.
UNWANTED = re.compile(
    r"[\^$]|\\|value error|input should|dictionary|instance of|sys\.|codec|\bnan\b|\bNone\b"
    r"|\bTrue\b|python -m|indexer|config\.yaml|allowed_hosts|service\.|SSL_"
)

QUERIES: dict[str, tuple[dict[str, Any], str]] = {
    "a limit below 1": ({"limit": 0}, "limit: received 0; must be at least 1"),
    "a limit above 200": ({"limit": 201}, "limit: received 201; must be at most 200"),
    "a word as a limit": ({"limit": "ten"}, "limit: received 'ten'; must be an integer"),
    "a fraction as a limit": ({"limit": 1.5}, "limit: received 1.5; must be an integer"),
    "a boolean as a limit": ({"limit": True}, "limit: received true; must be a number"),
    "null as a limit": ({"limit": None}, "limit: received null; must be an integer"),
    "infinity as a score": (
        {"min_score": float("inf")},
        "min_score: received Infinity; must be a finite number",
    ),
    "three corners": (
        {"box": "0,0,1"},
        "box: received '0,0,1'; must be x1,y1,x2,y2 as fractions of the photo's sides, or auto",
    ),
    "a list as a box": (
        {"box": [0, 0, 1, 1]},
        "box: received [0, 0, 1, 1]; must be x1,y1,x2,y2 as fractions of the photo's sides,"
        " or auto",
    ),
    "no condition": ({"filter": ""}, "filter[0]: received ''; too short (minimum length 1)"),
    "an object as a condition": (
        {"filter": {"a": 1}},
        """filter: received {"a": 1}; must be a list""",
    ),
    "a word as a condition": (
        {"filter": "red"},
        "received 'red'; expected field:value, field:a,b or field<5 (also <=, >, >=), each"
        " optionally after !",
    ),
    "a word as a bound": (
        {"filter": "price<=cheap"},
        "received 'price<=cheap'; <= takes one number, such as 49.90",
    ),
    "an attribute that no product has": (
        {"filter": "colr:red"},
        "received 'colr:red'; no product has an attribute 'colr'; existing attributes: price,"
        " title",
    ),
    "a facet that is no name": (
        {"facets": "a-b"},
        "facets[0]: received 'a-b'; must be the name of an attribute",
    ),
    "a boost of 5": (
        {"boost": "price>1^5"},
        "boost: received 'price>1^5'; the weight after ^ must be from -1 to 1",
    ),
    "no turns": (
        {"diversify": "brand:0"},
        "diversify: received 'brand:0'; must be an attribute, or attribute:n with n from 1 to 99",
    ),
    "too deep for dedup": (
        {"dedup": True, "offset": 5000},
        "with dedup, offset + limit must be at most 2000",
    ),
    "another scheme": (
        {"product_id": None, "image_url": "ftp://shop.example/a"},
        "image_url: received 'ftp://shop.example/a'; must be an http:// or https:// URL",
    ),
}


@pytest.mark.parametrize("case", QUERIES)
def test_a_wrong_parameter_is_named_with_what_it_must_be(client: FlaskClient, case: str) -> None:
    parameters, detail = QUERIES[case]
    response = client.post("/v1/search", json={"product_id": "red", **parameters})
    assert response.status_code == 400
    assert response.json["detail"] == detail  # type: ignore[index]


BODIES: dict[str, tuple[str, Any, str]] = {
    "no result to explain": ("/v1/explain", {"product_id": "red"}, "result: missing"),
    "no queries": ("/v1/search/batch", {"queries": []}, "queries: received []; too few items"),
    "an event without a product": (
        "/v1/events",
        {"query_id": ID, "action": "click"},
        "product_id: missing",
    ),
    "a query id that is none": (
        "/v1/events",
        {**EVENT, "query_id": "9"},
        "query_id: received '9'; must be the query_id of an answer (32 hexadecimal digits)",
    ),
    "an unknown action": (
        "/v1/events",
        {"events": [EVENT, {**EVENT, "action": "look"}]},
        "events[1].action: received 'look'; must be 'click'",
    ),
    "a number as an event": (
        "/v1/events",
        {"events": [5]},
        "events[0]: received 5; must be an object",
    ),
    "a list as an event": ("/v1/events", [1], "received [1]; must be an object"),
    "an unknown field of an event": (
        "/v1/events",
        {"events": [{**EVENT, "shop": 1}]},
        "events[0]: unknown parameter 'shop'",
    ),
}


@pytest.mark.parametrize("case", BODIES)
def test_a_wrong_body_is_told_where_and_why(client: FlaskClient, case: str) -> None:
    path, body, detail = BODIES[case]
    response = client.post(path, json=body)
    assert response.status_code == 400
    assert response.json["detail"].startswith(detail)  # type: ignore[index]


@pytest.mark.parametrize("case", REFUSED)
def test_no_problem_speaks_of_python_patterns_or_commands(client: FlaskClient, case: str) -> None:
    send, status, _ = REFUSED[case]
    document = send(client).json
    assert not UNWANTED.search(re.sub(r"'.*?'|received .*?;", "", document["detail"])), document
    assert document["title"].lower() != HTTPStatus(status).phrase.lower()


def picture(form: str, width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("1", (width, height)).save(buffer, form)
    return buffer.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize("form", ["PNG", "GIF"])
@pytest.mark.parametrize("side", [8_000, 20_000])
def test_a_photo_of_too_many_pixels_is_told_how_many_it_may_have(
    client: FlaskClient, form: str, side: int
) -> None:
    body, content_type = multipart(picture(form, side, side))
    response = client.post("/v1/search", data=body, content_type=content_type)
    assert (response.status_code, response.json["code"]) == (413, "image_too_large")  # type: ignore[index]
    assert "at most 52,000,000 pixels" in response.json["detail"]  # type: ignore[index]
    assert "memory" not in response.json["detail"]  # type: ignore[index]


@pytest.fixture
def locked(store: Store) -> Iterator[tuple[FlaskClient, str]]:
    """A client of a service that takes keys, and a key to search with."""
    data_dir = store.catalog.folder.parent
    _, key = Keys(data_dir).create(["search"], "shop")
    with serving(data_dir, access=AccessSettings()) as client:
        yield client, key


def test_who_has_no_valid_key_is_told_to_ask_the_operator_who_finds_the_command_in_the_log(
    locked: tuple[FlaskClient, str], caplog: pytest.LogCaptureFixture
) -> None:
    client, key = locked
    caplog.set_level("INFO")
    plain = client.get("/v1/products/red")
    wrong = client.get("/v1/products/red", headers={"X-API-Key": "no.key"})
    other = client.delete("/v1/products/red", headers={"X-API-Key": key})
    assert [answer.status_code for answer in (plain, wrong, other)] == [401, 401, 403]
    for answer in (plain, wrong, other):
        assert not UNWANTED.search(answer.json["detail"])  # type: ignore[index]
        assert "ask the operator" in answer.json["detail"]  # type: ignore[index]
    assert "keys create --scope search" in caplog.text
    assert "keys list" in caplog.text


def test_what_only_the_operator_can_mend_is_in_readyz_and_in_the_log_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def load(_: EmbeddingSettings) -> Embedder:
        raise WeightsError("shoes.h5 is not VGG16; run `python -m indexer rebuild`")

    with serving(tmp_path, load=load) as client:
        refused = client.post("/v1/search", json={"image_base64": PHOTO})
        state = client.get("/readyz").json["collections"][0]  # type: ignore[index]
    assert (refused.status_code, refused.json["code"]) == (503, "not_ready")  # type: ignore[index]
    assert not UNWANTED.search(refused.json["detail"])  # type: ignore[index]
    assert "shoes.h5" not in refused.text
    assert "shoes.h5" in state["detail"]
    assert "shoes.h5" in caplog.text


def test_a_photo_host_that_is_refused_is_told_without_the_setting_that_allows_it(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    with serving(store.catalog.folder.parent, fetch=FetchSettings()) as client:
        for url in ("http://127.0.0.1/a.jpg", "https://shop.example:81/a.jpg"):
            refused = client.put("/v1/products/new", json={"images": [url]})
            assert (refused.status_code, refused.json["code"]) == (400, "fetch_failed")  # type: ignore[index]
            assert not UNWANTED.search(refused.json["detail"])  # type: ignore[index]
    assert caplog.text.count("fetch.allowed_hosts") == 2


def test_half_a_character_is_refused_without_talk_of_feeds(store: Store) -> None:
    with serving(store.catalog.folder.parent) as client:
        refused = client.put(
            "/v1/products/new", json={"images": [PHOTO], "attributes": {"note": "\ud800"}}
        )
    assert refused.json["detail"] == "attributes: note is not valid Unicode; encode it as UTF-8"  # type: ignore[index]


def test_every_kind_of_error_has_a_title_of_its_own_and_no_server_error_tells_of_files() -> None:
    titles: dict[str, str] = {}
    for kind in subclasses(ImageSearchError):
        error = kind.__new__(kind)
        ImageSearchError.__init__(error, "/var/lib/shop/catalog.db is damaged; run `compact`")
        document = problem_of(error)
        assert document["title"] == titles.setdefault(error.code, document["title"])
        assert document["title"].lower() not in {status.phrase.lower() for status in HTTPStatus}
        if status_of(kind) == HTTPStatus.INTERNAL_SERVER_ERROR:
            assert "/var/lib" not in document["detail"]
            assert "compact" not in document["detail"]


def test_all_invalid_values_are_told_at_once(client: FlaskClient) -> None:
    query = {"product_id": "red", "limit": 0, "offset": "x", "filter": ["", "price>1"]}
    problem = client.post("/v1/search", json=query).get_json()
    assert problem["errors"] == [
        {"name": "limit", "detail": "limit: received 0; must be at least 1"},
        {"name": "offset", "detail": "offset: received 'x'; must be an integer"},
        {"name": "filter[0]", "detail": "filter[0]: received ''; too short (minimum length 1)"},
    ]
    assert problem["detail"] == problem["errors"][0]["detail"]
    alone = client.post("/v1/search", json={"product_id": "red", "limit": 0}).get_json()
    assert "errors" not in alone
    many = {"events": [{"query_id": "x"}] * 50}
    assert len(client.post("/v1/events", json=many).get_json()["errors"]) <= 20

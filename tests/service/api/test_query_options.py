"""Options of a search over HTTP: every way to send them, batches, photos by address."""

import base64
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from flask.testing import FlaskClient

from indexer.config import FetchSettings, ServiceSettings
from indexer.config.settings import SearchSettings
from tests.conftest import Store, png
from tests.service.conftest import serving
from tests.service.contract import validator
from tests.service.queries import by_json, ids, similar, upload

PRODUCTS: dict[str, tuple[str, dict[str, Any]]] = {
    "red": ("red", {"color": "red", "brand": "Acme", "price": 5.0, "in_stock": True}),
    "crimson": ("crimson", {"color": "red", "brand": "Globex", "price": 50.0, "in_stock": False}),
    "tomato": ("red", {"color": "red", "brand": "Acme", "price": 7.0}),
    "navy": ("navy", {"color": "blue, dark", "brand": "Globex", "price": 20.0}),
    "green": ("green", {"color": "green", "brand": "Globex", "price": 1.0}),
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = Store(tmp_path_factory.mktemp("options"))
    store.add(*(store.row(name, colour, **labels) for name, (colour, labels) in PRODUCTS.items()))
    yield store
    store.catalog.close()


@pytest.fixture(scope="module")
def shop_client(store: Store) -> Iterator[FlaskClient]:
    with serving(store.catalog.folder.parent) as client:
        yield client


def post_form(client: FlaskClient, **fields: Any) -> Any:
    return upload(client, png("red"), **fields)


@pytest.mark.parametrize("filters", ["price<=20", ["price<=20"], ["price<=20", "!color:green"]])
def test_a_filter_may_be_one_or_several_in_every_form(
    shop_client: FlaskClient, filters: str | list[str]
) -> None:
    expected = {"red", "tomato", "navy"} | ({"green"} if len(filters) != 2 else set())
    sent = [
        by_json(shop_client, product_id="red", filter=filters),
        upload(shop_client, png("red"), filter=filters),
        shop_client.post(
            "/v1/search", query_string={"filter": filters}, json={"product_id": "red"}
        ),
    ]
    for response in sent:
        assert set(ids(response.json)) == expected
        assert response.json["total"] == len(expected)
    assert set(ids(similar(shop_client, "red", filter=filters).json)) == expected - {"red"}


def test_quotes_keep_commas_together(shop_client: FlaskClient) -> None:
    found = similar(shop_client, "red", filter='color:"BLUE, dark",green').json
    assert set(ids(found)) == {"navy", "green"}


def test_facets_count_all_matching_products_not_the_page(shop_client: FlaskClient) -> None:
    found = upload(shop_client, png("red"), facets="color, brand", limit=1).json
    assert found["facets"] == {
        "color": [
            {"value": "red", "count": 3},
            {"value": "blue, dark", "count": 1},
            {"value": "green", "count": 1},
        ],
        "brand": [{"value": "Globex", "count": 3}, {"value": "Acme", "count": 2}],
    }


def test_a_boost_moves_matches_up_and_tells_the_true_score(shop_client: FlaskClient) -> None:
    found = upload(shop_client, png("red"), boost="color:green^1").json
    plain = {r["product_id"]: r["score"] for r in upload(shop_client, png("red")).json["results"]}
    assert found["results"][0]["boost"] in (0.0, 1.0)
    assert {r["product_id"]: r["score"] for r in found["results"]} == plain
    ranks = [result["score"] + result["boost"] for result in found["results"]]
    assert ranks == sorted(ranks, reverse=True)


def test_dedup_shows_the_same_picture_once(shop_client: FlaskClient) -> None:
    found = upload(shop_client, png("red"), dedup="true").json
    assert ids(found)[0] == "red"
    assert "tomato" not in ids(found)
    assert "tomato" in ids(upload(shop_client, png("red"), dedup="false").json)


def test_values_take_turns(shop_client: FlaskClient) -> None:
    found = upload(shop_client, png("red"), diversify="brand", limit=2).json
    brands = [result["attributes"]["brand"] for result in found["results"]]
    assert brands == ["Acme", "Globex"]


def test_a_group_is_shown_by_its_best_product(shop_client: FlaskClient) -> None:
    found = upload(shop_client, png("red"), group_by="brand").json
    assert (len(found["results"]), found["total"]) == (2, 2)
    assert ids(found)[0] == "red"


def test_products_may_say_what_is_wanted_without_a_photo(shop_client: FlaskClient) -> None:
    found = by_json(shop_client, more_like=["red"], less_like=["navy"]).json
    assert ids(found)[:2] == ["tomato", "crimson"]
    assert {"red", "navy"}.isdisjoint(ids(found))


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"filter": "colour:red"}, "bad_filter", "existing attributes: brand, color, in_stock, price"),
    ({"filter": "price<=cheap"}, "bad_filter", "'price<=cheap'"),
    ({"filter": "red"}, "bad_filter", "field:value"),
    ({"boost": "brand:acme^7"}, "bad_filter", "-1 to 1"),
    ({"facets": "colour"}, "bad_parameter", "'colour'"),
    ({"group_by": "colour"}, "bad_parameter", "'colour'"),
    ({"diversify": "brand:0"}, "bad_parameter", "brand:0"),
    ({"dedup": "maybe"}, "bad_parameter", "maybe"),
    ({"dedup": 0.1}, "bad_parameter", "0.5"),
    ({"dedup": "true", "offset": 5000}, "bad_parameter", "2000"),
    ({"more_like": "nothing"}, "unknown_product", "nothing"),
    ({"filter": [f"price<{n}" for n in range(40)]}, "bad_parameter", "filter"),
]


@pytest.mark.parametrize(("options", "code", "detail"), BAD)
def test_an_option_that_means_nothing_is_refused_with_what_is_allowed(
    shop_client: FlaskClient, options: dict[str, Any], code: str, detail: str
) -> None:
    for response in (
        post_form(shop_client, **options),
        by_json(shop_client, product_id="red", **options),
    ):
        assert response.json["code"] == code
        assert detail in response.json["detail"]
        assert response.status_code == (404 if code == "unknown_product" else 400)


@pytest.mark.parametrize("name", ["limit", "offset", "min_score"])
def test_a_boolean_is_no_number(shop_client: FlaskClient, name: str) -> None:
    response = by_json(shop_client, product_id="red", **{name: True})
    assert (response.status_code, response.json["code"]) == (400, "bad_parameter")
    assert "received true" in response.json["detail"]


def test_a_parameter_that_counts_once_may_not_come_twice(shop_client: FlaskClient) -> None:
    response = shop_client.get("/v1/products/red/similar?limit=1&limit=2")
    assert (response.status_code, response.json and response.json["code"]) == (400, "bad_parameter")


def test_each_query_of_a_batch_has_its_answer_or_its_problem(shop_client: FlaskClient) -> None:
    photo = base64.b64encode(png("navy")).decode()
    queries: list[object] = [
        {"product_id": "red", "limit": 1},
        {"product_id": "nothing"},
        {"image_base64": photo, "filter": "color:green"},
        {"image_base64": "AAAA"},
        {"product_id": "red", "limit": 0},
        {"filter": "?", "product_id": "red"},
        7,
        {},
        {"more_like": "navy", "limit": 1, "collection": "default"},
    ]
    response = shop_client.post("/v1/search/batch", json={"queries": queries})
    answers = response.get_json()["answers"]
    codes = [answer.get("code", ids(answer) if "results" in answer else None) for answer in answers]
    assert codes == [
        ["red"],
        "unknown_product",
        ["green"],
        "unsupported_format",
        "bad_parameter",
        "bad_filter",
        "bad_request",
        "bad_request",
        [ids(by_json(shop_client, more_like="navy", limit=1).json)[0]],
    ]
    for answer in answers:
        name = "SearchResponse" if "results" in answer else "Problem"
        validator({"$ref": f"#/components/schemas/{name}"}).validate(answer)


@pytest.mark.parametrize("queries", [[], [{"product_id": "red"}] * 33, {"product_id": "red"}, None])
def test_a_batch_has_1_to_32_queries(shop_client: FlaskClient, queries: object) -> None:
    response = shop_client.post("/v1/search/batch", json={"queries": queries})
    assert (response.status_code, response.get_json()["code"]) == (400, "bad_parameter")


def test_a_batch_asks_for_a_thousand_products_at_most(shop_client: FlaskClient) -> None:
    pages = [{"product_id": "red", "limit": 200}] * 5
    response = shop_client.post("/v1/search/batch", json={"queries": pages})
    assert response.status_code == 200
    one_more = [*pages, {"product_id": "red", "limit": 1}]
    response = shop_client.post("/v1/search/batch", json={"queries": one_more})
    assert (response.status_code, response.get_json()["code"]) == (400, "bad_parameter")
    assert "1001" in response.get_json()["detail"]
    assert "1000" in response.get_json()["detail"]


def test_photos_by_address_are_off_by_default(shop_client: FlaskClient) -> None:
    response = by_json(shop_client, image_url="https://photos.example/red.png")
    assert (response.status_code, response.json["code"]) == (403, "image_url_disabled")


@pytest.mark.parametrize("url", ["/etc/passwd", "file:///etc/passwd", "ftp://photos.example/x"])
def test_only_addresses_of_the_web_are_photos(shop_client: FlaskClient, url: str) -> None:
    response = by_json(shop_client, image_url=url)
    assert (response.status_code, response.json["code"]) == (400, "bad_parameter")


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def photo_host(store: Store) -> Iterator[str]:
    """The host of a server of the store's photos."""
    handler = partial(_Quiet, directory=str(store.photos))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_photo_is_fetched_from_the_named_hosts_only(store: Store, photo_host: str) -> None:
    with serving(
        store.catalog.folder.parent,
        fetch=FetchSettings(allowed_hosts=[photo_host]),
        service=ServiceSettings(image_url_hosts=[photo_host]),
    ) as client:
        found = by_json(client, image_url=f"http://{photo_host}/navy-0.png")
        assert ids(found.json)[0] == "navy"
        for url in ("http://photos.example/x.png", "http://127.0.0.1:1/x.png"):
            refused = by_json(client, image_url=url)
            assert (refused.status_code, refused.json["code"]) == (400, "fetch_failed")
            assert "not fetched from" in refused.json["detail"]


def test_a_collection_may_hide_what_is_out_of_stock(store: Store) -> None:
    with serving(
        store.catalog.folder.parent, search=SearchSettings(hide_out_of_stock=True)
    ) as client:
        found = by_json(client, product_id="red").json
        assert "crimson" not in ids(found)
        assert found["total"] == len(PRODUCTS) - 1
        assert ids(by_json(client, product_id="red", filter="in_stock:false").json) == ["crimson"]

"""Products over HTTP, and catalogues that change under the service."""

import pytest
from flask.testing import FlaskClient

from indexer.maintenance.neighbours import bring_up_to_date, drop
from tests.conftest import Store, png
from tests.processes import wait_for
from tests.service.conftest import COLOURS
from tests.service.metrics import named, samples
from tests.service.queries import upload


def test_a_product_has_its_attributes_and_all_its_photos(client: FlaskClient) -> None:
    product = client.get("/v1/products/two-tone").json
    assert product is not None
    assert product["attributes"] == {"title": "White and blue", "price": 9.5}
    assert (product["product_id"], product["collection"]) == ("two-tone", "default")
    assert [image["image"] for image in product["images"]] == ["two-tone-0.png", "two-tone-1.png"]
    for image, colour in zip(product["images"], COLOURS["two-tone"], strict=True):
        answer = client.get(image["image_url"])
        assert (answer.data, answer.mimetype) == (png(colour), "image/png")


def test_an_empty_catalogue_answers_with_nothing(own: FlaskClient) -> None:
    found = upload(own, png("red")).json
    assert (found["total"], found["results"], found["seq"]) == (0, [], 0)


def test_what_is_added_changed_and_removed_shows_in_the_next_search(
    store: Store, own: FlaskClient
) -> None:
    store.add(store.row("shoe", "red", price=10), store.row("hat", "navy"))
    first = upload(own, png("red")).json["results"][0]
    assert (first["product_id"], first["score"]) == ("shoe", 1.0)
    store.add(store.row("shoe", "green", price=11))
    changed = upload(own, png("green"), limit=1).json["results"][0]
    assert (changed["product_id"], changed["score"]) == ("shoe", 1.0)
    assert changed["attributes"] == {"price": 11}
    with store.catalog.writer() as writer:
        writer.remove(["shoe"])
    left = upload(own, png("green")).json
    assert [result["product_id"] for result in left["results"]] == ["hat"]
    assert own.get("/v1/products/shoe").status_code == 404


def test_similar_products_are_the_same_from_a_table_that_appears_and_goes_out_of_date(
    store: Store, own: FlaskClient
) -> None:
    store.add(*(store.row(f"p{n}", (8 * n, 40, 255 - 8 * n)) for n in range(30)))
    searched = _similar(own, "p7")
    bring_up_to_date(store.catalog, 5, lambda _: None)
    assert _similar(own, "p7") == searched
    assert own.delete("/v1/products/p8").status_code == 200
    assert own.patch("/v1/products/p6", json={"attributes": {"price": "3 EUR"}}).status_code == 200
    found = _similar(own, "p7")
    drop(store.catalog)
    assert _similar(own, "p7") == found != searched


def _similar(client: FlaskClient, product_id: str) -> object:
    document = client.get(f"/v1/products/{product_id}/similar?limit=4").get_json()
    return {key: document[key] for key in ("total", "results", "seq")}


def test_searches_by_product_are_counted_by_the_source_of_the_ranking(
    store: Store, own: FlaskClient
) -> None:
    store.add(*(store.row(f"p{n}", (8 * n, 40, 255 - 8 * n)) for n in range(30)))
    before = samples(own.get("/metrics").text)
    _similar(own, "p7")
    bring_up_to_date(store.catalog, 5, lambda _: None)
    _similar(own, "p7")
    own.post("/v1/search", json={"product_id": "p7", "limit": 2})
    after = samples(own.get("/metrics").text)
    for source, expected in (("index", 1), ("table", 2)):
        key = named("by_product_total", source=source)
        assert after[key] - before[key] == expected


def listed(client: FlaskClient, **query: object) -> list[list[str]]:
    """The product ids of every page, by following the cursors."""
    pages, cursor = [], None
    while True:
        found = client.get("/v1/products", query_string={**query, **(cursor or {})}).get_json()
        pages.append([product["product_id"] for product in found["products"]])
        if found["next"] is None:
            return pages
        cursor = {"cursor": found["next"]}


def test_all_products_are_listed_page_by_page(client: FlaskClient) -> None:
    ids = sorted(COLOURS)
    assert listed(client) == [ids]
    assert listed(client, limit=3) == [ids[:3], ids[3:6], ids[6:]]
    assert listed(client, limit=len(ids)) == [ids]
    page = client.get("/v1/products?limit=1&filter=title:Red shoe").get_json()
    assert (page["total"], page["next"]) == (1, None)
    (product,) = page["products"]
    assert product == {
        name: value
        for name, value in client.get("/v1/products/red").get_json().items()
        if name != "collection"
    }


def test_a_list_continues_where_it_was_while_products_come_and_go(
    store: Store, own: FlaskClient
) -> None:
    store.add(*(store.row(name, "red", size=n % 2) for n, name in enumerate("abdé/z")))
    page = own.get("/v1/products?limit=2").get_json()
    with store.catalog.writer() as writer:
        writer.remove(["b"])
    store.add(store.row("c", "red", size=0))
    rest = own.get("/v1/products", query_string={"cursor": page["next"]}).get_json()
    assert [product["product_id"] for product in rest["products"]] == ["c", "d", "z", "é"]
    assert rest["seq"] > page["seq"]
    assert listed(own, limit=1, filter="size<1") == [["/"], ["a"], ["c"], ["d"]]


CURSORS = ["x", "é", "WzFd", "W10", "WyJhIiwxXQ", "IlxcdWQ4MDAi", "WyJcdWQ4MDAiXQ", "W" * 3999]


@pytest.mark.parametrize("cursor", CURSORS)
def test_what_is_no_cursor_is_refused(client: FlaskClient, cursor: str) -> None:
    answer = client.get("/v1/products", query_string={"cursor": cursor})
    assert (answer.status_code, answer.get_json()["code"]) == (400, "bad_parameter")


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "offset=1", "filter=colour:red"])
def test_a_list_refuses_what_it_cannot_do(client: FlaskClient, query: str) -> None:
    answer = client.get(f"/v1/products?{query}")
    assert answer.status_code == 400
    assert answer.get_json()["code"] in ("bad_parameter", "bad_filter")


def test_the_collections_are_listed(client: FlaskClient) -> None:
    (found,) = client.get("/v1/collections").get_json()["collections"]
    assert found.pop("seq") > 0
    assert found == {
        "name": "default",
        "status": "ready",
        "products": len(COLOURS),
        "photo_search": True,
    }


@pytest.mark.parametrize("path", ["/v1/products/red", "/v1/products?limit=2", "/v1/collections"])
def test_a_client_that_has_the_answer_gets_304_until_it_changes(
    store: Store, own: FlaskClient, path: str
) -> None:
    store.add(store.row("red", "red", price=1))
    first = own.get(path)
    assert first.headers["Cache-Control"] == "no-cache, private"
    assert {"Authorization", "X-API-Key"} <= set(first.vary)
    again = {"If-None-Match": first.headers["ETag"]}
    assert own.get(path, headers=again).status_code == 304
    store.add(store.row("red", "red", price=2), store.row("navy", "navy"))
    wait_for(lambda: own.get(path, headers=again).status_code == 200, "the change")

"""Changing products over HTTP: stored when answered, found by the next search."""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from indexer.access.keys import Keys
from tests.conftest import Store, png
from tests.service.api.changes.conftest import RED, kept, photo, put, search, stored


def test_a_product_that_was_put_is_stored_and_the_next_search_shows_it(
    client: FlaskClient, store: Store
) -> None:
    put(client, "other", "navy")
    answer = put(client, "boot", "red", "white", title="Boot", price="89.90 EUR").json
    attributes = {"title": "Boot", "price": 89.9, "currency": "EUR"}
    assert answer == {
        "product_id": "boot",
        "collection": "default",
        "seq": search(client, "red")["seq"],
        "outcome": "added",
    }
    best = search(client, "red")["results"][0]
    assert (best["product_id"], best["score"], best["attributes"]) == ("boot", 1.0, attributes)
    assert stored(store)["boot"].attributes == attributes
    product = client.get("/v1/products/boot").json
    assert product is not None
    for image, colour in zip(product["images"], ("red", "white"), strict=True):
        served = client.get(image["image_url"])
        assert (served.data, served.mimetype) == (png(colour), "image/png")


def test_putting_the_same_again_changes_nothing(client: FlaskClient) -> None:
    first = put(client, "boot", "red", title="Boot").json
    again = put(client, "boot", "red", title="Boot").json
    assert (again["outcome"], again["seq"]) == ("unchanged", first["seq"])


def test_putting_replaces_attributes_and_photos(client: FlaskClient, store: Store) -> None:
    put(client, "boot", "red", title="Boot", color="red")
    assert put(client, "boot", "navy", title="Blue boot").json["outcome"] == "updated"
    assert stored(store)["boot"].attributes == {"title": "Blue boot"}
    assert search(client, "navy")["results"][0]["score"] == 1.0
    assert search(client, "red")["total"] == 1


def test_patching_changes_some_attributes_and_removes_others(
    client: FlaskClient, store: Store
) -> None:
    put(client, "boot", "red", title="Boot", color="red", availability="in stock")
    before = stored(store)["boot"].images
    changes = {"Color": None, "availability": "out of stock", "g:size": 42}
    answer = client.patch("/v1/products/boot", json={"attributes": changes}).json
    assert answer is not None
    assert answer["outcome"] == "updated"
    product = stored(store)["boot"]
    assert product.images == before
    assert product.attributes == {
        "title": "Boot",
        "availability": "out_of_stock",
        "in_stock": False,
        "size": 42,
    }


def test_a_deleted_product_is_gone_with_its_photos(client: FlaskClient, store: Store) -> None:
    put(client, "boot", "red", "white")
    put(client, "hat", "white")
    answer = client.delete("/v1/products/boot").json
    assert answer is not None
    assert answer["outcome"] == "removed"
    assert [result["product_id"] for result in search(client, "red")["results"]] == ["hat"]
    assert [path.read_bytes() for path in kept(store)] == [png("white")]


@pytest.mark.parametrize("method", ["patch", "delete"])
def test_what_is_not_there_cannot_be_changed(client: FlaskClient, method: str) -> None:
    answer = getattr(client, method)("/v1/products/none", json={"attributes": {"a": 1}})
    assert (answer.status_code, answer.json["code"]) == (404, "unknown_product")


def test_odd_ids_and_collections_are_as_elsewhere(client: FlaskClient, store: Store) -> None:
    body = {"images": [photo("red")]}
    answer = client.put("/v1/products/a%2Fb%20%E2%9C%93?collection=shoes", json=body).json
    assert answer is not None
    assert (answer["product_id"], answer["collection"]) == ("a/b ✓", "shoes")
    assert stored(store) == {}
    assert client.put("/v1/products/bulk", json=body).status_code == 201
    unknown = client.put("/v1/products/a?collection=none", json=body)
    assert unknown.json is not None
    assert unknown.json["code"] == "unknown_collection"


@pytest.mark.parametrize(
    ("product_id", "body", "code"),
    [
        ("a", {}, "bad_parameter"),
        ("a", {"images": []}, "bad_parameter"),
        ("a", {"images": ["?"]}, "bad_parameter"),
        ("a", {"images": [photo("red")] * 21}, "bad_parameter"),
        ("a", {**RED, "price": 3}, "bad_parameter"),
        ("a", {**RED, "attributes": {"price": "cheap"}}, "bad_parameter"),
        ("a", {**RED, "attributes": {"image_link": "/etc/passwd"}}, "bad_parameter"),
        ("a", {**RED, "attributes": {"id": "b"}}, "bad_parameter"),
        ("%20a", RED, "bad_parameter"),
        ("a%00", RED, "bad_parameter"),
        ("x" * 513, RED, "bad_parameter"),
        ("a", [], "bad_parameter"),
        ("a", {"images": ["aGVsbG8="]}, "unsupported_format"),
        ("a", {"images": [photo("red")[:60]]}, "image_truncated"),
        ("a", {"images": ["http://127.0.0.1/a.png"]}, "fetch_failed"),
        ("a", {"images": ["HTTP://[::1]:22/a.png"]}, "fetch_failed"),
        ("a", {"images": ["http://169.254.169.254/"]}, "fetch_failed"),
        ("a", {"images": ["file:///etc/passwd"]}, "bad_parameter"),
    ],
)
def test_what_cannot_be_put_is_refused_whole(
    client: FlaskClient, store: Store, product_id: str, body: Any, code: str
) -> None:
    answer = client.put(f"/v1/products/{product_id}", json=body)
    assert answer.json is not None
    assert answer.json["code"] == code
    assert answer.status_code < 500
    assert stored(store) == {}
    assert kept(store) == []


def test_the_error_of_a_photo_names_which_it_is(client: FlaskClient) -> None:
    body = {"images": [photo("red"), "aGVsbG8="]}
    answer = client.put("/v1/products/a", json=body).json
    assert answer is not None
    assert answer["detail"].startswith("images[1]: ")


@pytest.mark.parametrize("content_type", ["text/plain", "", "application/x-www-form-urlencoded"])
def test_a_web_page_cannot_send_changes_without_being_asked_for_its_origin(
    client: FlaskClient, content_type: str
) -> None:
    for path, method in (("/v1/products/a", "put"), ("/v1/products/bulk", "post")):
        answer = getattr(client, method)(path, data=json.dumps(RED), content_type=content_type)
        assert answer.status_code == 415


def test_once_there_are_keys_changes_take_one_for_admin(client: FlaskClient, store: Store) -> None:
    keys = Keys(store.catalog.folder.parent)
    search_key, admin_key = (keys.create([scope], "")[1] for scope in ("search", "admin"))

    def code(headers: dict[str, str]) -> int:
        return client.put("/v1/products/a", json=RED, headers=headers).status_code

    assert code({}) == 401
    assert code({"Authorization": f"Bearer {search_key}"}) == 403
    assert code({"Authorization": f"Bearer {admin_key}"}) == 201


@pytest.mark.parametrize(
    "headers",
    [{"Host": "evil.example"}, {"X-Forwarded-For": "1.2.3.4"}, {"Host": "localhost.evil.example"}],
)
def test_without_keys_changes_are_taken_only_from_this_machine(
    client: FlaskClient, headers: dict[str, str]
) -> None:
    assert client.delete("/v1/products/a", headers=headers).status_code == 401
    for host in ("localhost", "127.0.0.1:8000", "[::1]:8000", "[::1]"):
        assert client.delete("/v1/products/a", headers={"Host": host}).status_code == 404

"""Changes that are made only to the product that the client has seen."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.conftest import Store
from tests.service.api.changes.conftest import RED, kept, photo, put, stored

BOOT = "/v1/products/boot"
MERGE = "application/merge-patch+json"


def etag(client: FlaskClient, path: str = BOOT) -> str:
    return client.get(path).headers["ETag"]


def change(client: FlaskClient, method: str, **headers: str) -> Any:
    body = {"put": RED, "patch": {"attributes": {"price": "5 EUR"}}, "delete": None}[method]
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return getattr(client, method)(BOOT, json=body, headers=named)


METHODS = pytest.mark.parametrize("method", ["put", "patch", "delete"])


@METHODS
def test_a_change_of_a_product_that_was_changed_meanwhile_is_refused(
    client: FlaskClient, store: Store, method: str
) -> None:
    put(client, "boot", "red", title="Boot")
    seen = etag(client)
    store.add(store.row("boot", "red", title="Boot of the feed"))
    before = stored(store)
    refused = change(client, method, If_Match=seen)
    assert (refused.status_code, refused.json["code"]) == (412, "precondition_failed")
    assert stored(store) == before
    assert change(client, method, If_Match=f'"other", {etag(client)}').status_code == 200


@METHODS
def test_a_weak_or_unknown_tag_does_not_match(client: FlaskClient, method: str) -> None:
    put(client, "boot", "red")
    assert change(client, method, If_Match=f"W/{etag(client)}").status_code == 412
    assert change(client, method, If_Match='"other"').status_code == 412


@METHODS
def test_a_star_stands_for_any_product(client: FlaskClient, method: str) -> None:
    assert change(client, method, If_Match="*").status_code == 412
    put(client, "boot", "red")
    assert change(client, method, If_None_Match="*").status_code == 412
    assert change(client, method, If_Match="*").status_code == 200


@METHODS
def test_a_condition_without_a_tag_is_not_taken_for_none(client: FlaskClient, method: str) -> None:
    put(client, "boot", "red")
    for name in ("If_Match", "If_None_Match"):
        refused = change(client, method, **{name: ""})
        assert (refused.status_code, refused.json["code"]) == (400, "bad_request")


def test_a_product_is_added_once_with_its_place_and_its_tag(client: FlaskClient) -> None:
    first = client.put("/v1/products/a%2Fb", json=RED, headers={"If-None-Match": "*"})
    assert first.status_code == 201
    assert first.location == "/v1/products/a%2Fb?collection=default"
    assert client.get(first.location).headers["ETag"] == first.headers["ETag"]
    again = client.put("/v1/products/a%2Fb", json=RED, headers={"If-None-Match": "*"})
    assert again.status_code == 412
    same = client.put("/v1/products/a%2Fb", json=RED, headers={"If-Match": first.headers["ETag"]})
    assert (same.status_code, same.headers["ETag"]) == (200, first.headers["ETag"])


def test_the_tag_of_a_change_is_the_condition_of_the_next(client: FlaskClient) -> None:
    tag = put(client, "boot", "red").headers["ETag"]
    for price in ("5 EUR", "6 EUR"):
        body = {"attributes": {"price": price}}
        changed = client.patch(BOOT, json=body, headers={"If-Match": tag})
        assert changed.status_code == 200
        tag = changed.headers["ETag"]
        assert tag == etag(client)
    put(client, "other", "navy")
    assert etag(client) == tag
    assert client.patch(BOOT, json=body, headers={"If-Match": tag}).status_code == 200


def test_a_product_that_was_removed_and_added_again_is_another(client: FlaskClient) -> None:
    put(client, "boot", "red")
    seen = etag(client)
    client.delete(BOOT)
    put(client, "boot", "red")
    assert change(client, "patch", If_Match=seen).status_code == 412


def test_the_photos_of_a_refused_product_are_not_kept(client: FlaskClient, store: Store) -> None:
    put(client, "boot", "red")
    body = {"images": [photo("navy")]}
    assert client.put(BOOT, json=body, headers={"If-Match": '"other"'}).status_code == 412
    assert len(kept(store)) == 1


def test_a_merge_patch_removes_what_is_null_on_every_level(client: FlaskClient) -> None:
    put(client, "boot", "red", title="Boot", color="red")
    changes = {"color": None, "sizes": {"eu": 42, "uk": None}, "tags": ["a", None]}
    patched = client.patch(BOOT, json={"attributes": changes}, headers={"Content-Type": MERGE})
    assert patched.status_code == 200
    assert client.get(BOOT).get_json()["attributes"] == {
        "title": "Boot",
        "sizes": '{"eu": 42}',
        "tags": '["a", null]',
    }


def test_a_deeply_nested_merge_patch_is_refused(client: FlaskClient) -> None:
    put(client, "boot", "red")
    deep = '{"attributes": {"sizes": ' + '{"eu": ' * 700 + "1" + "}" * 702
    refused = client.patch(BOOT, data=deep, headers={"Content-Type": MERGE})
    assert (refused.status_code, refused.get_json()["code"]) == (400, "bad_parameter")


def test_only_a_patch_is_taken_as_a_merge_patch(client: FlaskClient) -> None:
    refused = client.put(BOOT, json=RED, headers={"Content-Type": MERGE})
    assert refused.status_code == 415

"""Paging through a ranking with cursors, and answers that a client has already."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from service.api.cursors import encoded, values_of
from tests.conftest import Store, png
from tests.service.conftest import COLOURS, serving
from tests.service.queries import by_json, ids, similar, upload

ASKED = {
    "a photo": lambda client, **page: upload(client, png("red"), **page),
    "a product": lambda client, **page: by_json(client, product_id="red", **page),
    "similar products": lambda client, **page: similar(client, "red", **page),
    "a batch": lambda client, **page: client.post(
        "/v1/search/batch", json={"queries": [{"product_id": "red", **page}]}
    ),
}
WAYS = pytest.mark.parametrize("way", ASKED)


def page(client: FlaskClient, way: str, **parameters: Any) -> Any:
    document = ASKED[way](client, **parameters).get_json()
    return document["answers"][0] if "answers" in document else document


@WAYS
def test_the_pages_of_a_cursor_are_the_whole_ranking(client: FlaskClient, way: str) -> None:
    whole = page(client, way, limit=50)
    assert whole["next"] is None
    found = page(client, way, limit=3)
    listed = ids(found)
    while found["next"]:
        found = page(client, way, limit=2, cursor=found["next"])
        assert len(ids(found)) <= 2
        listed += ids(found)
    assert listed == ids(whole)


def test_a_page_that_ends_with_the_ranking_is_the_last(client: FlaskClient) -> None:
    assert page(client, "a product", limit=len(COLOURS))["next"] is None
    assert page(client, "a product", limit=len(COLOURS) - 1)["next"]
    assert page(client, "a product", limit=2, min_score=0.9999999)["next"] is None
    assert page(client, "a product", limit=200, dedup=True)["next"] is None


@WAYS
def test_a_cursor_ends_with_the_state_that_it_is_from(
    store: Store, own: FlaskClient, way: str
) -> None:
    store.add(*(store.row(name, name) for name in ("red", "navy", "gold", "green")))
    first = page(own, way, limit=2)
    store.add(store.row("white", "white"))
    answer = ASKED[way](own, limit=2, cursor=first["next"])
    problem = page(own, way, limit=2, cursor=first["next"])
    assert (problem["status"], problem["code"]) == (409, "stale_cursor")
    assert answer.status_code == (200 if way == "a batch" else 409)


@pytest.mark.parametrize(
    "other",
    [{"min_score": 0.1}, {"filter": "price>1"}, {"offset": 2}, {"cursor": "WzFd"}, {"cursor": "-"}],
)
def test_a_cursor_of_another_query_is_refused(client: FlaskClient, other: dict[str, Any]) -> None:
    cursor = page(client, "a product", limit=2)["next"]
    answer = by_json(client, product_id="red", **{"cursor": cursor, **other})
    assert (answer.status_code, answer.json["code"]) == (400, "bad_parameter")
    assert similar(client, "red", cursor=cursor).status_code == 400


def test_the_page_of_a_cursor_is_within_the_depth_of_dedup(client: FlaskClient) -> None:
    first = page(client, "a product", limit=2, dedup=True)
    seq, _, query = values_of(first["next"], int, int, str)
    for offset, status in ((1998, 200), (1999, 400), (-1, 400)):
        cursor = encoded(seq, offset, query)
        answer = ASKED["a product"](client, limit=2, dedup=True, cursor=cursor)
        assert answer.status_code == status


def test_a_star_matches_only_rankings_that_exist(own: FlaskClient, store: Store) -> None:
    store.add(store.row("red", "red"))
    star = {"If-None-Match": "*"}
    assert own.get("/v1/products/red/similar", headers=star).status_code == 304
    assert own.get("/v1/products/none/similar", headers=star).status_code == 404


def test_similar_products_are_sent_again_only_after_a_change(
    store: Store, own: FlaskClient
) -> None:
    store.add(store.row("red", "red"), store.row("navy", "navy"))
    first = similar(own, "red")
    assert first.headers["Cache-Control"] == "no-cache, private"
    tag = {"If-None-Match": first.headers["ETag"]}
    path = "/v1/products/red/similar"
    assert own.get(path, headers=tag).status_code == 304
    assert own.get(f"{path}?limit=1", headers=tag).status_code == 200
    assert own.get("/v1/products/navy/similar", headers=tag).status_code == 200
    store.add(store.row("gold", "gold"))
    changed = own.get(path, headers=tag)
    assert (changed.status_code, len(ids(changed.get_json()))) == (200, 2)
    assert changed.headers["ETag"] != first.headers["ETag"]


def test_a_catalogue_made_anew_has_other_tags(tmp_path: Any) -> None:
    tags = []
    for name in ("first", "second"):
        store = Store(tmp_path / name)
        store.add(store.row("red", "red"), store.row("navy", "navy"))
        with serving(store.catalog.folder.parent) as client:
            tags.append(similar(client, "red").headers["ETag"])
        store.catalog.close()
    assert len(set(tags)) == 2

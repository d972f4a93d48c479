"""Searching over HTTP: what goes in, what comes out."""

import base64
import io
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import Store, png
from tests.service.conftest import COLOURS
from tests.service.queries import (
    Json,
    by_base64,
    by_data_url,
    by_json,
    ids,
    ranking,
    similar,
    upload,
)

Search = Callable[..., Any]
# Each way to search for what looks like `red`.
WAYS: dict[str, Search] = {
    "upload": lambda client, **fields: upload(client, png("red"), **fields),
    "base64": lambda client, **fields: by_base64(client, png("red"), **fields),
    "data URL": lambda client, **fields: by_data_url(client, png("red"), **fields),
    "product": lambda client, **fields: by_json(client, product_id="red", **fields),
    "similar": lambda client, **fields: similar(client, "red", **fields),
}


@pytest.fixture(params=WAYS)
def search(request: pytest.FixtureRequest, client: FlaskClient) -> Search:
    way = WAYS[request.param]
    return lambda **fields: way(client, **fields)


def test_a_photo_finds_the_products_that_look_like_it_best_first(client: FlaskClient) -> None:
    found = upload(client, png("firebrick"), limit=3).json
    assert ids(found) == ["red", "crimson", "salmon"]
    scores = [result["score"] for result in found["results"]]
    assert scores == sorted(scores, reverse=True)
    assert all(-1 <= score <= 1 for score in scores)


@pytest.mark.parametrize("way", ["base64", "data URL", "product"])
def test_a_photo_ranks_alike_however_it_is_sent(client: FlaskClient, way: str) -> None:
    expected = ranking(WAYS["upload"](client).json)
    assert expected[0] == ("red", 1.0)
    assert ranking(WAYS[way](client).json) == expected


def test_an_answer_has_these_members_and_no_others(client: FlaskClient) -> None:
    found = upload(client, png("red"), limit=1).json
    members = {"query_id", "collection", "seq", "total", "took_ms", "results", "next"}
    assert set(found) == members
    assert set(found["took_ms"]) == {"decode", "queue", "embed", "search"}
    assert all(0 <= ms < 60_000 for ms in found["took_ms"].values())
    (result,) = found["results"]
    url, thumbnail = result.pop("image_url"), result.pop("thumbnail_url")
    assert result == {
        "product_id": "red",
        "score": 1.0,
        "distance": 0.0,
        "image": "red-0.png",
        "attributes": {"title": "Red shoe", "price": 9.5},
    }
    assert client.get(url).data == png("red")
    assert client.get(thumbnail).mimetype == "image/webp"


def test_every_answer_has_its_own_query_id_and_the_seq_it_read(
    client: FlaskClient, shop: Store
) -> None:
    answers = [by_json(client, product_id="red").json for _ in range(3)]
    assert len({answer["query_id"] for answer in answers}) == 3
    with shop.catalog.reader() as reader:
        assert {answer["seq"] for answer in answers} == {reader.seq}


def test_distance_is_one_minus_score(client: FlaskClient) -> None:
    for result in upload(client, png("teal")).json["results"]:
        assert result["distance"] == pytest.approx(1 - result["score"], abs=1e-6)


def test_of_several_photos_the_best_one_counts_for_each_product(client: FlaskClient) -> None:
    both = dict(ranking(upload(client, png("red"), png("navy")).json))
    red = dict(ranking(upload(client, png("red")).json))
    navy = dict(ranking(upload(client, png("navy")).json))
    assert both == {name: max(red[name], navy[name]) for name in COLOURS}
    assert both["red"] == both["navy"] == 1.0


def test_a_product_is_found_once_by_the_best_of_its_photos(client: FlaskClient) -> None:
    found = upload(client, png("mediumblue")).json
    assert len(found["results"]) == len(COLOURS) == found["total"]
    assert (found["results"][0]["product_id"], found["results"][0]["image"]) == (
        "two-tone",
        "two-tone-1.png",
    )
    whitish = upload(client, png("white"), limit=1).json["results"][0]
    assert (whitish["product_id"], whitish["image"]) == ("two-tone", "two-tone-0.png")


def test_any_photo_of_a_product_may_match_when_searching_from_it(client: FlaskClient) -> None:
    scores = dict(ranking(similar(client, "two-tone").json))
    by_blue = dict(ranking(upload(client, png("mediumblue")).json))
    by_white = dict(ranking(upload(client, png("white")).json))
    assert scores == {name: max(by_blue[name], by_white[name]) for name in scores}


def test_equal_scores_are_in_the_order_of_product_ids(client: FlaskClient) -> None:
    first, second = upload(client, png("gold"), limit=2).json["results"]
    assert [first["product_id"], second["product_id"]] == ["twin-a", "twin-b"]
    assert first["score"] == second["score"]


@pytest.mark.parametrize("product_id", COLOURS)
def test_similar_products_never_have_the_product_itself(
    client: FlaskClient, product_id: str
) -> None:
    found = similar(client, product_id, limit=200).json
    assert set(ids(found)) == set(COLOURS) - {product_id}
    assert found["total"] == len(COLOURS) - 1


def test_searching_by_product_id_has_the_product_itself_by_score_and_id(
    client: FlaskClient,
) -> None:
    found = by_json(client, product_id="navy").json
    assert ranking(found)[0] == ("navy", 1.0)
    assert found["total"] == len(COLOURS)
    twins = ranking(by_json(client, product_id="twin-b").json)[:2]
    assert twins == [("twin-a", 1.0), ("twin-b", 1.0)]


@given(limit=st.integers(1, 10), offset=st.integers(0, 12))
def test_pages_join_to_one_ranking(client: FlaskClient, limit: int, offset: int) -> None:
    whole = upload(client, png("orchid"), limit=200).json
    page = upload(client, png("orchid"), limit=limit, offset=offset).json
    assert ranking(page) == ranking(whole)[offset : offset + limit]
    assert page["total"] == whole["total"] == len(COLOURS)


def test_parameters_mean_the_same_in_every_form(search: Search) -> None:
    whole = search().json
    floor = dict(ranking(whole))["twin-b"] - 1e-6
    matching = [row for row in ranking(whole) if row[1] >= floor]
    page = search(limit=1, offset=1, min_score=floor).json
    assert ranking(page) == matching[1:2]
    assert page["total"] == len(matching) < whole["total"]


def test_a_min_score_above_every_score_leaves_an_empty_page(client: FlaskClient) -> None:
    found = upload(client, png("teal"), min_score=1).json
    assert (found["total"], found["results"]) == (0, [])


@pytest.mark.parametrize(
    "parameters", [{"limit": 1}, {"limit": 200}, {"offset": 1_000_000}, {"min_score": -1}]
)
def test_the_bounds_themselves_are_accepted(search: Search, parameters: Json) -> None:
    found = search(**parameters).json
    left = max(0, found["total"] - parameters.get("offset", 0))
    assert len(found["results"]) == min(parameters.get("limit", 10), left)


BEYOND: list[tuple[str, object]] = [
    *(("limit", value) for value in (0, -1, 201, 10**30, 1.5, "ten", "")),
    *(("offset", value) for value in (-1, 1_000_001, "x")),
    *(("min_score", value) for value in (-1.01, 1.01, "nan", "inf", "high")),
    ("limits", 5),
]


@pytest.mark.parametrize(("name", "value"), BEYOND)
def test_a_parameter_beyond_its_bounds_is_refused_by_name(
    search: Search, name: str, value: object
) -> None:
    response = search(**{name: value})
    assert (response.status_code, response.json["code"]) == (400, "bad_parameter")
    assert name in response.json["detail"]


@pytest.mark.parametrize("value", [[5], {"a": 1}, [[]], {}])
def test_a_json_parameter_of_another_type_is_refused(client: FlaskClient, value: object) -> None:
    response = by_json(client, product_id="red", limit=value)
    assert (response.status_code, response.json["code"]) == (400, "bad_parameter")


@pytest.mark.parametrize("way", ["upload", "base64", "product"])
def test_a_parameter_may_stand_in_the_url_of_a_post(client: FlaskClient, way: str) -> None:
    bodies: dict[str, Json] = {
        "upload": {"data": {"image": (io.BytesIO(png("red")), "photo.png")}},
        "base64": {"json": {"image_base64": base64.b64encode(png("red")).decode()}},
        "product": {"json": {"product_id": "red"}},
    }
    response = client.post("/v1/search", query_string={"limit": 2}, **bodies[way])
    assert response.json is not None
    assert len(response.json["results"]) == 2


def test_an_unknown_parameter_in_the_url_of_a_post_is_refused(client: FlaskClient) -> None:
    response = client.post("/v1/search?limits=2", json={"product_id": "red"})
    assert (response.status_code, response.json and response.json["code"]) == (400, "bad_parameter")


def test_the_collection_may_be_named(search: Search) -> None:
    assert ids(search(collection="default").json) == ids(search().json)

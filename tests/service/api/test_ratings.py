"""Judging results over HTTP: what raters see betrays no ranking, and what they say is kept."""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from hashlib import sha256
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from indexer.access.keys import Keys
from indexer.arrays import Vectors
from indexer.config import (
    AccessSettings,
    CollectionSettings,
    EmbeddingSettings,
    FetchSettings,
    RatingsSettings,
)
from indexer.embedding import Embedder
from indexer.embedding.base import PixelBatch, unit_rows
from indexer.events import RatingStore
from indexer.fetch import PhotoSource
from indexer.images import ImageLimits
from indexer.ingest.sync import Indexer
from indexer.store.embedded.catalog import Catalog
from tests.conftest import Store, png
from tests.fakes import FAKE_SPEC, FakeEmbedder
from tests.processes import multipart
from tests.service.access.conftest import make
from tests.service.conftest import serving

BOTH = {"collection": "default", "compare": "other"}
HUES = 24


class BlueEmbedder(FakeEmbedder):
    """Sees mostly blue, so it finds other products than the other one."""

    def __init__(self) -> None:
        super().__init__(replace(FAKE_SPEC, weights="blue"))

    def embed_batch(self, images: PixelBatch) -> Vectors:
        cells = super().embed_batch(images).reshape(len(images), 16, 3)
        return unit_rows((cells * np.array([0.05, 0.05, 1])).reshape(len(images), -1))


def load(settings: EmbeddingSettings) -> Embedder:
    return BlueEmbedder() if settings.weights == "blue" else FakeEmbedder()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """One set of products in two collections, which rank them differently."""
    store = Store(tmp_path_factory.mktemp("rated"))
    rows = [
        store.row(
            f"hue/{number:02}",
            (number * 10, 255 - 7 * number, number * 53 % 256),
            title=f"Jumper {number}",
        )
        for number in range(HUES)
    ]
    store.add(*rows, store.row("only-here", (5, 250, 3)))
    other = Catalog(store.catalog.folder.parent / "other", create=True)
    embedder = BlueEmbedder()
    photos = PhotoSource(ImageLimits(), FetchSettings())
    Indexer(other, embedder.spec, lambda: embedder, photos, lambda _: None).add(rows)
    other.close()
    store.catalog.close()
    return store


@contextmanager
def rating(store: Store, **sections: Any) -> Iterator[FlaskClient]:
    sections["collections"] = {"other": CollectionSettings(embedding={"weights": "blue"})}
    with serving(store.catalog.folder.parent, load=load, **sections) as client:
        yield client


@pytest.fixture(scope="module")
def client(shop: Store) -> Iterator[FlaskClient]:
    with rating(shop) as client:
        yield client


@pytest.fixture(autouse=True)
def _no_ratings(shop: Store) -> Iterator[None]:
    yield
    path = shop.catalog.folder.parent / "ratings.db"
    if path.exists():
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("DELETE FROM ratings")


def pool(client: FlaskClient, **fields: Any) -> Any:
    sent = {"product_id": "hue/03", "rater": "ab", **BOTH, **fields}
    answer = client.post("/v1/ratings/candidates", json=sent)
    assert answer.status_code == 200, answer.text
    return answer.json


def ids(document: Any) -> list[str]:
    return [candidate["product_id"] for candidate in document["candidates"]]


def ranking(client: FlaskClient, collection: str, limit: int = 10) -> list[str]:
    found = client.get(f"/v1/products/hue%2F03/similar?collection={collection}&limit={limit}").json
    assert found is not None
    return [result["product_id"] for result in found["results"]]


def body(**changes: Any) -> dict[str, Any]:
    return {
        "rater": "ab",
        "query_product_id": "hue/03",
        "product_id": "hue/04",
        "grade": "match",
        **changes,
    }


def rate(client: FlaskClient, *changes: Mapping[str, Any]) -> None:
    for each in changes:
        answer = client.post("/v1/ratings", json=body(**each))
        assert (answer.status_code, answer.data) == (204, b"")


def test_a_rater_is_shown_the_results_of_both_collections_and_no_others(
    client: FlaskClient,
) -> None:
    lists = [ranking(client, name) for name in ("default", "other")]
    assert set(lists[0]) != set(lists[1])
    assert set(ids(pool(client))) == {*lists[0], *lists[1]} - {"only-here"}
    assert set(ids(pool(client, depth=3))) == {*lists[0][:3], *lists[1][:3]} - {"only-here"}
    alone = client.post("/v1/ratings/candidates", json={"product_id": "hue/03", "rater": "ab"})
    assert set(ids(alone.json)) == set(lists[0])


def test_nothing_that_a_rater_receives_tells_which_collection_found_a_product(
    client: FlaskClient,
) -> None:
    found = pool(client)
    swapped = pool(client, collection="other", compare="default")
    assert json.dumps(found) == json.dumps(swapped)
    assert set(found) == {"query_product_id", "query_photo", "query", "candidates"}
    for candidate in found["candidates"]:
        assert set(candidate) == {"product_id", "title", "image_urls", "grade"}
        (url,) = candidate["image_urls"]
        assert "?collection=default&" in url
        assert client.get(url).status_code == 200


def test_a_product_that_one_collection_lacks_would_betray_the_other_and_is_not_shown(
    client: FlaskClient,
) -> None:
    near = {"product_id": "hue/00", "depth": 5}
    alone = client.post("/v1/ratings/candidates", json={"rater": "ab", **near})
    assert "only-here" in ids(alone.json)
    assert "only-here" not in ids(pool(client, **near))
    unknown = {"product_id": "only-here", "rater": "ab", **BOTH}
    answer = client.post("/v1/ratings/candidates", json=unknown)
    assert (answer.status_code, answer.json and answer.json["code"]) == (404, "unknown_product")


def test_the_order_is_the_raters_own_and_has_nothing_of_a_ranking(client: FlaskClient) -> None:
    depth = HUES - 1  # so that all raters see all products
    orders = {rater: ids(pool(client, rater=rater, depth=depth)) for rater in "abcdefgh"}
    assert orders["a"] == ids(pool(client, rater="A", depth=depth))
    assert len({tuple(order) for order in orders.values()}) == len(orders)
    best = set(ranking(client, "default", limit=6)) - {"only-here"}
    places = [order.index(product) for order in orders.values() for product in best]
    assert np.mean(places) == pytest.approx((depth - 1) / 2, abs=3)


def test_queries_are_a_random_sample_that_is_the_same_for_all(client: FlaskClient) -> None:
    def sampled(**parameters: Any) -> list[str]:
        answer = client.get("/v1/ratings/queries", query_string={**BOTH, **parameters})
        assert answer.json is not None
        return [query["product_id"] for query in answer.json["queries"]]

    assert sampled(limit=8) == sampled(limit=8, collection="other", compare="default")
    assert sampled(limit=5) == sampled(limit=8)[:5]
    assert sampled(limit=8) != sampled(limit=8, seed=1)
    everything = sampled(limit=1000)
    assert sorted(everything) == [f"hue/{number:02}" for number in range(HUES)]
    assert everything != sorted(everything)


def test_a_sample_of_queries_is_that_of_the_catalogue_as_it_is_now(store: Store) -> None:
    store.add(*(store.row(name, name) for name in ("red", "navy", "gold")))
    with serving(store.catalog.folder.parent) as client:

        def sampled() -> list[str]:
            answer = client.get("/v1/ratings/queries")
            assert answer.json is not None
            return [query["product_id"] for query in answer.json["queries"]]

        before = sampled()
        assert sampled() == before
        with store.catalog.writer() as writer:
            writer.remove(["navy"])
        assert sampled() == [name for name in before if name != "navy"]


def test_raters_find_their_own_judgements_again_and_no_others(client: FlaskClient) -> None:
    first, second, *_ = ids(pool(client))
    rate(client, {"product_id": first}, {"product_id": second, "grade": "wrong", "rater": "AB"})
    grades = {c["product_id"]: c["grade"] for c in pool(client)["candidates"]}
    assert (grades.pop(first), grades.pop(second)) == ("match", "wrong")
    assert set(grades.values()) == {None}
    assert {c["grade"] for c in pool(client, rater="cd")["candidates"]} == {None}


def test_the_last_judgement_counts_and_null_withdraws_it(client: FlaskClient, shop: Store) -> None:
    rate(client, {}, {"grade": "similar"}, {"product_id": "hue/05"})
    rate(client, {"product_id": "hue/05", "grade": None})
    store = RatingStore(shop.catalog.folder.parent)
    assert [(r.product_id, r.grade, r.rater) for r in store.all()] == [
        ("hue/04", "similar", "ab"),
        ("hue/05", None, "ab"),
    ]
    store.close()


def test_judgements_come_in_batches_and_all_are_stored_or_none(
    client: FlaskClient, shop: Store
) -> None:
    good = [body(product_id=f"hue/{number:02}") for number in range(3)]
    answer = client.post("/v1/ratings", json={"ratings": [*good, body(grade="good")]})
    assert answer.json is not None
    assert answer.json["detail"].startswith("ratings[3].grade: received 'good'; must be ")
    store = RatingStore(shop.catalog.folder.parent)
    assert list(store.all()) == []
    assert client.post("/v1/ratings", json={"ratings": good}).status_code == 204
    assert len(list(store.all())) == 3
    store.close()


def test_a_photo_is_a_query_too_and_is_not_kept(client: FlaskClient, shop: Store) -> None:
    photo = png((30, 234, 159))
    sent, content_type = multipart(photo, rater="ab", **BOTH)

    def found() -> Any:
        answer = client.post("/v1/ratings/candidates", data=sent, content_type=content_type)
        assert answer.status_code == 200, answer.text
        return answer.json

    document = found()
    assert document["query"] is document["query_product_id"] is None
    assert document["query_photo"] == sha256(photo).hexdigest()
    judged = {"query_photo": document["query_photo"], "product_id": ids(document)[0]}
    rate(client, {"query_product_id": None, **judged})
    assert found()["candidates"][0]["grade"] == "match"
    stored = [path for path in shop.catalog.folder.parent.rglob("*") if path.is_file()]
    assert not [path for path in stored if photo in path.read_bytes()]


@pytest.mark.parametrize(
    "wrong",
    [
        {"grade": "good"},
        {"grade": 2},
        {"rater": ""},
        {"rater": "a" * 41},
        {"rater": "a\nb"},
        {"query_product_id": None},
        {"query_photo": "ab" * 32},
        {"query_product_id": None, "query_photo": "photo.jpg"},
        {"product_id": ""},
        {"product_id": 512 * "a" + "b"},
        {"product_id": "\ud800"},
        {"score": 0.5},
    ],
    ids=lambda wrong: f"{next(iter(wrong.items()))!a:.40}",
)
def test_what_is_no_judgement_is_refused(client: FlaskClient, wrong: dict[str, Any]) -> None:
    answer = client.post("/v1/ratings", json=body(**wrong))
    assert (answer.status_code, answer.json and answer.json["code"]) == (400, "bad_parameter")


def test_a_judgement_without_a_grade_is_refused(client: FlaskClient) -> None:
    sent = body()
    del sent["grade"]
    answer = client.post("/v1/ratings", json=sent)
    assert answer.json is not None
    assert (answer.status_code, answer.json["detail"]) == (400, "grade: missing")


@pytest.mark.parametrize(
    ("wrong", "status", "code"),
    [
        ({"compare": "default"}, 400, "bad_parameter"),
        ({"compare": "nowhere"}, 404, "unknown_collection"),
        ({"depth": 51}, 400, "bad_parameter"),
        ({"rater": None}, 400, "bad_parameter"),
        ({"product_id": "nothing"}, 404, "unknown_product"),
        ({"min_score": 0.5}, 400, "bad_parameter"),
    ],
    ids=str,
)
def test_what_cannot_be_judged_is_refused(
    client: FlaskClient, wrong: dict[str, Any], status: int, code: str
) -> None:
    asked = {"product_id": "hue/03", "rater": "ab", **BOTH, **wrong}
    answer = client.post("/v1/ratings/candidates", json=asked)
    assert (answer.status_code, answer.json and answer.json["code"]) == (status, code)


def test_raters_have_keys_that_allow_nothing_else(shop: Store) -> None:
    keys = Keys(shop.catalog.folder.parent)
    rater, shopper = make(keys, "rate"), make(keys, "search", "events")
    ask = {"product_id": "hue/03", "rater": "ab"}
    try:
        with rating(shop, access=AccessSettings(open=True)) as client:
            for headers, status in ((rater, 200), (shopper, 403), ({}, 401)):
                answer = client.post("/v1/ratings/candidates", json=ask, headers=headers)
                assert answer.status_code == status
                asked = client.get("/v1/ratings/queries", headers=headers)
                assert asked.status_code == status
                stored = client.post("/v1/ratings", json=body(), headers=headers)
                assert stored.status_code == (204 if status == 200 else status)
            similar = client.get("/v1/products/hue%2F03/similar", headers=rater)
            assert similar.status_code == 403
            assert client.get("/rate").status_code == 200
    finally:
        keys.path.unlink()


def test_judgements_and_not_requests_count_for_the_limits(shop: Store) -> None:
    limit = AccessSettings(rate_limit_per_address="10/hour")
    many = {"ratings": [body()] * 6}
    with rating(shop, access=limit) as client:
        codes = [client.post("/v1/ratings", json=many).status_code for _ in range(2)]
        assert codes == [204, 429]


def test_a_full_file_refuses_judgements_and_says_who_can_help(shop: Store) -> None:
    def sent(batch: int) -> dict[str, Any]:
        return {"ratings": [body(product_id=f"{batch}-{place:0500}") for place in range(500)]}

    with rating(shop, ratings=RatingsSettings(max_mib=1)) as client:
        answers = [client.post("/v1/ratings", json=sent(batch)) for batch in range(10)]
    assert answers[0].status_code == 204
    refused = answers[-1].json
    assert refused is not None
    assert (refused["status"], refused["code"]) == (507, "ratings_full")
    assert "ask the operator" in refused["detail"]
    assert "ratings.db" not in refused["detail"]

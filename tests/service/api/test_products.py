"""Products over HTTP, and catalogues that change under the service."""

from flask.testing import FlaskClient

from indexer.maintenance.neighbours import bring_up_to_date, drop
from tests.conftest import Store, png
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

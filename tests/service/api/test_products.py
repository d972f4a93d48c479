"""Products over HTTP, and catalogues that change under the service."""

from flask.testing import FlaskClient

from tests.conftest import Store, png
from tests.service.conftest import COLOURS
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

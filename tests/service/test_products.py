"""Products and their photos over HTTP, and catalogues that change under the service."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from indexer.interchange.transfer import import_features
from tests.conftest import Store, png
from tests.processes import multipart
from tests.service.conftest import COLOURS, serving


def upload(client: FlaskClient, photo: bytes, **fields: object) -> Any:
    body, content_type = multipart(photo, **fields)
    return client.post("/v1/search", data=body, content_type=content_type)


def test_a_product_has_its_attributes_and_all_its_photos(client: FlaskClient) -> None:
    product = client.get("/v1/products/two-tone").json
    assert product is not None
    assert product["attributes"] == {"title": "White and blue", "price": 9.5}
    assert (product["product_id"], product["collection"]) == ("two-tone", "default")
    assert [image["image"] for image in product["images"]] == ["two-tone-0.png", "two-tone-1.png"]
    for image, colour in zip(product["images"], COLOURS["two-tone"], strict=True):
        answer = client.get(image["image_url"])
        assert (answer.data, answer.mimetype) == (png(colour), "image/png")


@pytest.fixture
def own(store: Store) -> Iterator[FlaskClient]:
    """A client of a service over `store`, which the test may change."""
    with serving(store.catalog.folder.parent) as client:
        yield client


def test_a_photo_whose_file_is_gone_is_not_found(store: Store, own: FlaskClient) -> None:
    store.add(store.row("red", "red"))
    (store.photos / "red-0.png").unlink()
    response = own.get("/v1/images/1")
    assert (response.status_code, response.json and response.json["code"]) == (404, "unknown_image")
    assert str(store.photos) not in response.text


def test_a_photo_on_the_web_is_where_its_address_says(store: Store, own: FlaskClient) -> None:
    address = "https://shop.example/a.jpg"
    import_one(store, address)
    assert own.get("/v1/products/a").json["images"][0]["image_url"] == address  # type: ignore[index]
    response = own.get("/v1/images/1")
    assert (response.status_code, response.location) == (302, address)


def test_the_name_of_an_imported_vector_is_not_taken_for_a_file_here(
    store: Store, own: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(store.photos)
    Path("secret.txt").write_text("not for everyone")
    import_one(store, "secret.txt")
    assert own.get("/v1/images/1").status_code == 404


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


def import_one(store: Store, name: str) -> None:
    """Adds a product that has a vector and, under this name, no photo here."""
    features, names = store.photos / "v.npy", store.photos / "n.txt"
    np.save(features, np.eye(1, 48, dtype=np.float32))
    names.write_text(f"{name}\n")
    import_features(store.catalog, features, names, store.embedder.spec, same_model=True)

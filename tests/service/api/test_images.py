"""The photos of products over HTTP."""

import base64
import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from indexer.feeds import FeedRow, ImageRef
from indexer.interchange.transfer import import_features
from tests.conftest import Store, png
from tests.processes import cli
from tests.service.conftest import serving


def test_a_photo_whose_file_is_gone_is_not_found(store: Store, own: FlaskClient) -> None:
    store.add(store.row("red", "red"))
    (store.photos / "red-0.png").unlink()
    response = own.get("/v1/images/1")
    assert (response.status_code, response.json and response.json["code"]) == (404, "unknown_image")
    assert str(store.photos) not in response.text


SECRET = "not for everyone"
OPEN_FILES = Path("/proc/self/fd")


def code_of(response: TestResponse) -> str:
    assert response.json is not None
    return str(response.json["code"])


def _a_link_to_a_secret(photo: Path, outside: Path) -> None:
    photo.unlink()
    photo.symlink_to(outside / "secret.txt")


def _a_link_to_the_same_photo(photo: Path, outside: Path) -> None:
    photo.rename(outside / "moved.png")
    photo.symlink_to(outside / "moved.png")


def _a_link_in_place_of_the_folder(photo: Path, outside: Path) -> None:
    photo.parent.rename(outside / "moved")
    photo.parent.symlink_to(outside / "moved")


def _another_file(photo: Path, outside: Path) -> None:
    (outside / "secret.txt").rename(photo)


def _another_photo(photo: Path, _: Path) -> None:
    photo.write_bytes(png("green"))


def _a_pipe(photo: Path, _: Path) -> None:
    photo.unlink()
    os.mkfifo(photo)


def _a_folder(photo: Path, _: Path) -> None:
    photo.unlink()
    photo.mkdir()


def _a_file_beyond_all_photos(photo: Path, _: Path) -> None:
    os.truncate(photo, 2**31)


@pytest.mark.parametrize(
    "put",
    [
        _a_link_to_a_secret,
        _a_link_to_the_same_photo,
        _a_link_in_place_of_the_folder,
        _another_file,
        _another_photo,
        _a_pipe,
        _a_folder,
        _a_file_beyond_all_photos,
    ],
)
def test_what_stands_in_the_place_of_an_indexed_photo_is_not_served(
    store: Store, own: FlaskClient, tmp_path: Path, put: Callable[[Path, Path], None]
) -> None:
    store.add(store.row("red", "red"), store.row("navy", "navy"))
    assert own.get("/v1/images/1").data == png("red")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text(SECRET)
    put(store.photos / "red-0.png", outside)
    open_before = len(list(OPEN_FILES.iterdir()))
    for _ in range(5):
        response = own.get("/v1/images/1")
        assert (response.status_code, code_of(response)) == (404, "unknown_image")
    assert SECRET not in response.text
    assert str(store.photos) not in response.text
    assert len(list(OPEN_FILES.iterdir())) < open_before + 5


def test_links_that_were_there_when_a_photo_was_indexed_are_followed(tmp_path: Path) -> None:
    stored, outside = tmp_path / "mount", tmp_path / "outside"
    (stored / "data").mkdir(parents=True)
    outside.mkdir()
    photos = tmp_path / "photos"  # a link, and in it another one
    photos.symlink_to(stored)
    data_dir = tmp_path / "data"
    data_dir.symlink_to(stored / "data")
    (stored / "a.png").write_bytes(png("red"))
    (outside / "b.png").write_bytes(png("navy"))
    (stored / "b.png").symlink_to(outside / "b.png")
    feed = tmp_path / "feed.csv"
    feed.write_text(f"id,image_link\nc,photos/a.png\nd,{(photos / 'b.png').as_uri()}\n")
    added = cli("add", str(photos), str(feed), data_dir=data_dir, module="tests.processes")
    assert added.code == 0, added.err
    with serving(data_dir) as client:
        put = {"images": [base64.b64encode(png("gold")).decode()]}
        assert client.put("/v1/products/uploaded", json=put).status_code == 201
        products = {"a": "red", "b": "navy", "c": "red", "d": "navy", "uploaded": "gold"}
        for product_id, colour in products.items():
            product = client.get(f"/v1/products/{product_id}").json
            assert product is not None
            answer = client.get(product["images"][0]["image_url"])
            assert (answer.status_code, answer.data) == (200, png(colour))


def test_a_photo_may_be_cached_by_its_content(store: Store, own: FlaskClient) -> None:
    photo = store.row("red", "red").images[0]
    misnamed = ImageRef("red.jpg", photo.location.replace(".png", ".jpg"))
    Path(photo.location).rename(misnamed.location)
    store.add(FeedRow("red", {}, (misnamed,), None, "feed"))
    first = own.get("/v1/images/1")
    assert first.mimetype == "image/png"
    assert first.headers["ETag"] == f'"{sha256(png("red")).hexdigest()}"'
    assert int(first.headers["Content-Length"]) == len(first.data)
    assert "max-age=3600" in first.headers["Cache-Control"]
    again = own.get("/v1/images/1", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert own.head("/v1/images/1").headers["Content-Length"] == str(len(first.data))


@pytest.mark.parametrize("scheme", ["http", "https", "HTTPS", "Http"])
def test_a_photo_on_the_web_is_where_its_address_says(
    store: Store, own: FlaskClient, scheme: str
) -> None:
    address = f"{scheme}://shop.example/a.jpg"
    import_one(store, address)
    assert own.get("/v1/products/a").json["images"][0]["image_url"] == address  # type: ignore[index]
    response = own.get("/v1/images/1")
    assert (response.status_code, response.location) == (302, "http" + address[4:].lower())


def test_the_name_of_an_imported_vector_is_not_taken_for_a_file_here(
    store: Store, own: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(store.photos)
    Path("secret.txt").write_text("not for everyone")
    import_one(store, "secret.txt")
    assert own.get("/v1/images/1").status_code == 404


def import_one(store: Store, name: str) -> None:
    """Adds a product that has a vector and, under this name, no photo here."""
    features, names = store.photos / "v.npy", store.photos / "n.txt"
    np.save(features, np.eye(1, 48, dtype=np.float32))
    names.write_text(f"{name}\n")
    import_features(store.catalog, features, names, store.embedder.spec, same_model=True)

"""A data directory and its photos, moved to another place."""

import base64
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from indexer.config import StorageSettings
from tests.conftest import png
from tests.indexer.cli.conftest import COLOURS, Shop
from tests.service.conftest import serving

UPLOADED = {"uploaded": "silver"}


def at(folder: Path) -> dict[str, str]:
    return {
        "IMAGE_SEARCH_STORAGE_DATA_DIR": str(folder / "data"),
        "IMAGE_SEARCH_STORAGE_PHOTO_ROOT": str(folder / "photos"),
    }


def photos_served(client: FlaskClient) -> dict[str, bytes | int]:
    """The photo of each product, or the status of the answer without one."""
    served: dict[str, bytes | int] = {}
    for product_id in {**COLOURS, **UPLOADED}:
        product = client.get(f"/v1/products/{product_id}").json
        assert product is not None
        answer = client.get(product["images"][0]["image_url"])
        served[product_id] = answer.data if answer.status_code == 200 else answer.status_code
    return served


def storage(folder: Path) -> StorageSettings:
    return StorageSettings(data_dir=folder / "data", photo_root=folder / "photos")


def inside(shop: Shop, name: str) -> Path:
    shop.folder /= name
    shop.folder.mkdir()
    return shop.folder


def move(shop: Shop, name: str) -> Path:
    shop.folder = shop.folder.rename(shop.folder.with_name(name))
    return shop.folder


@pytest.fixture
def moved(shop: Shop) -> Path:
    """The new place of a store with photos by path and one upload."""
    here = inside(shop, "here")
    assert shop.run("add", shop.feed(COLOURS), **at(here)).code == 0
    with serving(here / "data", storage=storage(here)) as client:
        photo = base64.b64encode(png("silver")).decode()
        assert client.put("/v1/products/uploaded", json={"images": [photo]}).status_code == 201
    return move(shop, "there")


def test_all_photos_are_served_from_the_new_place(moved: Path) -> None:
    with serving(moved / "data", storage=storage(moved)) as client:
        expected = {name: png(colour) for name, colour in {**COLOURS, **UPLOADED}.items()}
        assert photos_served(client) == expected


def test_a_sync_after_the_move_finds_nothing_changed(moved: Path, shop: Shop) -> None:
    feed = moved / "feed.csv"
    seen = shop.embedder.images_seen
    for command in (["add", "--json", feed], ["sync", "--json", "--dry-run", feed]):
        ran = shop.run(*command, **at(moved))
        assert ran.code == 0, ran.err
        assert (ran.json["unchanged"], ran.json["embedded"]) == (len(COLOURS), 0)
    assert shop.embedder.images_seen == seen


def test_an_export_has_the_paths_of_the_new_place(moved: Path, shop: Shop) -> None:
    assert shop.run("export", "out", **at(moved)).code == 0
    again = {**at(moved), "IMAGE_SEARCH_STORAGE_DATA_DIR": str(moved / "imported")}
    arguments = ("out/features.npy", "out/names.txt", "--same-model")
    assert shop.run("import-features", *arguments, **again).code == 0
    assert shop.run("add", "out/products.csv", **again).code == 0
    imported = StorageSettings(data_dir=moved / "imported", photo_root=moved / "photos")
    with serving(moved / "imported", storage=imported) as client:
        assert photos_served(client)["red"] == png("red")
    assert str(moved / "photos") in Path("out/products.csv").read_text()


def test_without_the_root_uploads_are_served_and_other_photos_are_not_found(moved: Path) -> None:
    with serving(moved / "data") as client:
        assert photos_served(client)["red"] == 404
        assert photos_served(client)["uploaded"] == png("silver")


def test_absolute_paths_of_before_work_and_become_relative_with_the_next_sync(shop: Shop) -> None:
    inside(shop, "here")
    feed = shop.feed(COLOURS)
    assert shop.run("add", feed).code == 0
    with serving(shop.data_dir, storage=storage(shop.folder)) as client:
        assert client.get("/v1/images/1").data == png("red")
    synced = shop.run("sync", "--json", feed, **at(shop.folder))
    assert (synced.json["updated"], synced.json["embedded"]) == (len(COLOURS), 0)
    there = move(shop, "there")
    with serving(there / "data", storage=storage(there)) as client:
        assert client.get("/v1/images/1").data == png("red")

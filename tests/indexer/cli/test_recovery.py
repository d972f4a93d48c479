"""A snapshot brings back a store on another machine, in another folder."""

import base64
import io
import shutil
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from indexer.access.keys import Keys
from indexer.config import StorageSettings
from indexer.events import RatedQuery, Rating, RatingStore
from indexer.files import write_atomically
from tests.conftest import png
from tests.indexer.cli.conftest import COLOURS, Shop
from tests.service.conftest import serving

UPLOADED = {"uploaded": "silver", "other upload": "olive"}
PRODUCTS = {**COLOURS, **UPLOADED}


def at(folder: Path) -> dict[str, str]:
    return {
        "IMAGE_SEARCH_STORAGE_DATA_DIR": str(folder / "data"),
        "IMAGE_SEARCH_STORAGE_PHOTO_ROOT": str(folder / "photos"),
    }


def storage(folder: Path) -> StorageSettings:
    return StorageSettings(data_dir=folder / "data", photo_root=folder / "photos")


def answers(client: FlaskClient, key: str) -> list[object]:
    """The results of a search by the photo of each product, and the photos themselves."""
    told: list[object] = []
    for product_id, colour in PRODUCTS.items():
        form = {"image": (io.BytesIO(png(colour)), "photo.png"), "limit": "20"}
        found = client.post("/v1/search", data=form, headers={"Authorization": f"Bearer {key}"})
        assert found.status_code == 200, found.text
        assert found.json is not None
        results = found.json["results"]
        assert results[0]["product_id"] == product_id
        told.append([(result["product_id"], result["score"]) for result in results])
        told += [client.get(result["image_url"]).data for result in results]
    assert told.count(png("silver")) == len(PRODUCTS)
    return told


@pytest.fixture
def here(shop: Shop) -> Path:
    """The folder of a store with photos by path and by upload, keys, events and judgements."""
    shop.folder /= "here"
    shop.folder.mkdir()
    assert shop.run("add", shop.feed(COLOURS), **at(shop.folder)).code == 0
    with serving(shop.data_dir, storage=storage(shop.folder)) as client:
        for product_id, colour in UPLOADED.items():
            put = {"images": [base64.b64encode(png(colour)).decode()]}
            assert client.put(f"/v1/products/{product_id}", json=put).status_code == 201
    return shop.folder


def with_key(shop: Shop, folder: Path) -> str:
    created = shop.run("keys", "create", "--scope", "search", **at(folder))
    assert created.code == 0
    return created.out.strip()


def backup(shop: Shop, folder: Path, *options: str) -> Path:
    """A copy of a snapshot, outside the folder of the store."""
    created = shop.run("snapshot", "create", "--json", *options, **at(folder))
    assert created.code == 0, created.err
    name = created.json["name"]
    return Path(
        shutil.copytree(
            folder / "data/.snapshots/default" / name, folder.with_name("backup") / name
        )
    )


def names_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_searches_photos_keys_and_events_are_the_same_in_an_empty_folder_elsewhere(
    shop: Shop, here: Path
) -> None:
    key = with_key(shop, here)
    with serving(here / "data", storage=storage(here)) as client:
        before = answers(client, key)
    rating = Rating(RatedQuery("product", "red"), "navy", "Ada", "wrong", 1)
    RatingStore(here / "data").add([rating])
    copy = backup(shop, here)
    there = here.with_name("there")
    shutil.move(here / "photos", there / "photos")
    shutil.rmtree(here)
    restored = shop.run("snapshot", "restore", "--json", copy, **at(there))
    assert restored.code == 0, restored.err
    assert restored.json["attachments"] == ["photos", "keys", "events", "ratings"]
    with serving(there / "data", storage=storage(there)) as client:
        assert client.post("/v1/products/bulk", data=b"").status_code == 401
        assert answers(client, key) == before
    assert list(RatingStore(there / "data").all()) == [rating]
    assert shop.run("verify", **at(there)).code == 0


def test_the_log_of_a_deleted_database_is_not_applied_to_a_restored_one(
    shop: Shop, here: Path
) -> None:
    def ratings(names: range) -> list[Rating]:
        return [Rating(RatedQuery("product", "red"), str(n), "Ada", "wrong", 1) for n in names]

    RatingStore(here / "data").add(ratings(range(3)))
    copy = backup(shop, here)
    there = here.with_name("there")
    (there / "data").mkdir(parents=True)
    other = RatingStore(here / "data")
    for n in range(3, 9):
        other.add(ratings(range(n, n + 1)))
    shutil.copy(here / "data/ratings.db-wal", there / "data/ratings.db-wal")
    assert shop.run("snapshot", "restore", copy, **at(there)).code == 0
    assert list(RatingStore(there / "data").all()) == ratings(range(3))


@pytest.mark.parametrize("command", ["create", "restore"])
def test_each_attachment_can_be_left_out(shop: Shop, here: Path, command: str) -> None:
    with_key(shop, here)
    without = ["--without", "photos", "--without", "keys", "--without", "events"]
    copy = backup(shop, here, *(without if command == "create" else []))
    if command == "create":
        assert all(name.split(".")[0] in ("catalog", "manifest") for name in names_in(copy))
    there = here.with_name("there")
    options = without if command == "restore" else []
    assert shop.run("snapshot", "restore", copy, *options, **at(there)).code == 0
    assert not (there / "data/keys.json").exists()
    assert not (there / "data/events.db").exists()
    assert not (there / "data/default/photos").exists()


def test_a_key_that_was_revoked_after_the_snapshot_stays_revoked(shop: Shop, here: Path) -> None:
    key, other = with_key(shop, here), with_key(shop, here)
    copy = backup(shop, here)
    assert shop.run("keys", "revoke", key.split(".")[0], **at(here)).code == 0
    restored = shop.run("snapshot", "restore", "--json", copy, **at(here))
    assert (restored.code, restored.json["attachments"]) == (0, ["photos"])
    assert Keys(here / "data").find(key) is None
    assert Keys(here / "data").find(other)


def test_an_upload_that_was_deleted_comes_back(shop: Shop, here: Path) -> None:
    copy = backup(shop, here)
    with serving(here / "data", storage=storage(here)) as client:
        assert client.delete("/v1/products/uploaded").status_code in (200, 204)
        assert shop.run("snapshot", "restore", copy, **at(here)).code == 0
        product = client.get("/v1/products/uploaded").json
        assert product is not None
        assert client.get(product["images"][0]["image_url"]).data == png("silver")


def test_photos_of_the_snapshot_before_are_linked_unless_they_are_damaged(
    shop: Shop, here: Path
) -> None:
    taken = here / "data/.snapshots/default"
    assert shop.run("snapshot", "create", **at(here)).code == 0
    (first,) = (path for path in taken.iterdir() if path.is_dir())
    whole, damaged = sorted((first / "photos").glob("*/*"))
    write_atomically(damaged, b"another photo")
    assert shop.run("snapshot", "create", **at(here)).code == 0
    second = max(path for path in taken.iterdir() if path.is_dir())
    assert (second / whole.relative_to(first)).samefile(whole)
    assert (second / damaged.relative_to(first)).read_bytes() in map(png, UPLOADED.values())
    assert shop.run("snapshot", "verify", second.name, **at(here)).code == 0
    assert shop.run("snapshot", "verify", first.name, **at(here)).code == 1


def test_damage_of_what_is_left_out_stops_neither_a_restore_nor_its_dry_run(
    shop: Shop, here: Path
) -> None:
    copy = backup(shop, here)
    min((copy / "photos").glob("*/*")).write_bytes(b"damaged")
    for options, code in ((), 1), (("--without", "photos"), 0):
        assert shop.run("snapshot", "restore", copy, *options, "--dry-run", **at(here)).code == code
        assert shop.run("snapshot", "restore", copy, *options, **at(here)).code == code


def test_a_missing_upload_stops_no_snapshot_but_is_reported(shop: Shop, here: Path) -> None:
    min((here / "data/default/photos").glob("*/*")).unlink()
    created = shop.run("snapshot", "create", "--json", **at(here))
    assert (created.code, created.json["missing_photos"]) == (0, 1)
    assert "1 uploaded photos are missing or damaged" in created.err

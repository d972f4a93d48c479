"""Photos that were uploaded: found wherever the data directory is, and checked by `verify`."""

import base64
import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from indexer.config import FetchSettings
from indexer.fetch import PhotoSource
from indexer.images import ImageLimits
from indexer.ingest.sync import Indexer
from indexer.maintenance.merge import merge
from indexer.maintenance.reembed import re_embed
from indexer.maintenance.verify import verify
from indexer.store.embedded.catalog import Catalog
from indexer.store.embedded.catalog.checksums import checksum, register_checksum
from tests.conftest import Store, png
from tests.fakes import FAKE_SPEC, FakeEmbedder
from tests.processes import cli
from tests.service.conftest import serving


def upload(store: Store, **colours: object) -> None:
    """Puts products with a photo of each colour over HTTP."""
    with serving(store.catalog.folder.parent) as client:
        for product_id, colour in colours.items():
            images = [base64.b64encode(png(colour)).decode()]
            body = {"attributes": {}, "images": images}
            assert client.put(f"/v1/products/{product_id}", json=body).status_code in (200, 201)


def photos_of(data_dir: Path, *product_ids: str) -> list[bytes]:
    """What a service over the folder serves as the photo of each product."""
    with serving(data_dir) as client:
        served = []
        for product_id in product_ids:
            product = client.get(f"/v1/products/{product_id}").get_json()
            response = client.get(product["images"][0]["image_url"])
            assert response.status_code == 200, response.text
            served.append(response.data)
        return served


def file_of(data_dir: Path) -> Path:
    (file,) = (data_dir / "default" / "photos").glob("*/*")
    return file


def findings(data_dir: Path) -> list[str]:
    done = cli("verify", "--json", data_dir=data_dir)
    document = json.loads(done.out)
    assert document["ok"] is (done.code == 0)
    return list(document["findings"])


def test_uploaded_photos_are_served_after_the_data_directory_has_moved(
    store: Store, tmp_path: Path
) -> None:
    upload(store, red="red")
    store.catalog.close()
    moved = tmp_path / "moved"
    shutil.move(store.catalog.folder.parent, moved)
    assert photos_of(moved, "red") == [png("red")]
    assert findings(moved) == []


def test_verify_names_an_uploaded_photo_that_is_gone_or_damaged(store: Store) -> None:
    upload(store, red="red")
    data_dir = store.catalog.folder.parent
    assert findings(data_dir) == []
    file = file_of(data_dir)
    file.write_bytes(b"another")
    (found,) = findings(data_dir)
    assert str(file) in found
    assert "wrong SHA-256" in found
    assert "'red'" in found
    file.unlink()
    (found,) = findings(data_dir)
    assert str(file) in found
    assert "cannot be read" in found


def older(catalog: Catalog) -> None:
    """Makes a catalogue one of the version that stored absolute locations."""
    with closing(sqlite3.connect(catalog.path)) as connection, connection:
        register_checksum(connection)
        connection.execute("DELETE FROM migrations WHERE number = 4")
        connection.execute(
            "UPDATE images SET location = ? || location WHERE location LIKE 'photos/%'",
            (f"{catalog.folder.absolute()}/",),
        )
        connection.execute(
            "UPDATE images SET"
            " checksum = checksum(image_id, product_id, position, uri, location, content_hash)"
        )
        for product_id, attributes in connection.execute(
            "SELECT product_id, attributes FROM products"
        ).fetchall():
            (covered,) = connection.execute(
                "SELECT sum(checksum) FROM images WHERE product_id = ?", (product_id,)
            ).fetchone()
            connection.execute(
                "UPDATE products SET checksum = ? WHERE product_id = ?",
                (checksum(product_id, attributes, covered), product_id),
            )


def test_uploads_of_an_older_catalogue_move_with_it_too(store: Store, tmp_path: Path) -> None:
    store.add(store.row("file", "blue"))
    upload(store, red="red", green="green")
    store.catalog.close()
    older(store.catalog)
    moved = tmp_path / "moved"
    shutil.move(store.catalog.folder.parent, moved)
    assert photos_of(moved, "red", "green", "file") == [png("red"), png("green"), png("blue")]
    catalog = Catalog(moved / "default")
    assert verify(catalog) == []
    catalog.close()


def test_a_damaged_row_of_an_older_catalogue_stays_damaged(store: Store) -> None:
    upload(store, red="red")
    store.catalog.close()
    older(store.catalog)
    with closing(sqlite3.connect(store.catalog.path)) as connection, connection:
        connection.execute("UPDATE images SET uri = 'other.png'")
    catalog = Catalog(store.catalog.folder)
    assert any("table images" in finding for finding in verify(catalog))
    catalog.close()


def test_uploads_are_copied_when_catalogues_are_merged(store: Store, tmp_path: Path) -> None:
    upload(store, red="red")
    merged = Catalog(tmp_path / "merged" / "default", create=True)
    merge(merged, [store.catalog], store.embedder.spec, lambda _: None)
    merged.close()
    shutil.rmtree(store.catalog.folder / "photos")
    assert photos_of(tmp_path / "merged", "red") == [png("red")]


def test_uploads_move_with_the_folder_after_they_were_embedded_again(
    store: Store, tmp_path: Path
) -> None:
    upload(store, red="red")
    embedder = FakeEmbedder(replace(FAKE_SPEC, input_size=32))

    def indexer(into: Catalog) -> Indexer:
        photos = PhotoSource(ImageLimits(), FetchSettings())
        return Indexer(into, embedder.spec, lambda: embedder, photos, lambda _: None)

    assert re_embed(store.catalog, embedder.spec.fingerprint, indexer).embedded == 1
    store.catalog.close()
    moved = tmp_path / "moved"
    shutil.move(store.catalog.folder.parent, moved)
    assert photos_of(moved, "red") == [png("red")]


@pytest.mark.parametrize("damage", ["unlink", "cut"])
def test_compact_writes_a_segment_again_whose_file_is_gone_or_damaged(
    store: Store, damage: str
) -> None:
    store.add(store.row("p", "red"))
    data_dir = store.catalog.folder.parent
    assert cli("compact", data_dir=data_dir).code == 0
    (file,) = store.catalog.folder.glob("segment*.faiss")
    file.unlink() if damage == "unlink" else file.write_bytes(file.read_bytes()[:-1])
    again = cli("compact", "--json", data_dir=data_dir)
    assert again.code == 0, again.err
    assert (store.catalog.folder / json.loads(again.out)["segment"]).is_file()
    assert "writing a new one" in again.err
    assert findings(data_dir) == []

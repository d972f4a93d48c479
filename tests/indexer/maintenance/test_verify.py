"""Damage is found, named, and never answered."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random

import numpy as np
import pytest

from indexer.errors import CatalogError
from indexer.maintenance.verify import verify
from indexer.store.embedded.catalog import Catalog
from indexer.store.embedded.catalog.checksums import checksum, register_checksum
from indexer.store.embedded.catalog.schema import MIGRATIONS
from tests.campaigns.shop import DIMENSION, Operation, Shop, operation_of


def edit(shop: Shop, statement: str, *values: object) -> None:
    """Changes the catalogue behind the software's back."""
    with closing(sqlite3.connect(shop.catalog.path)) as connection, connection:
        register_checksum(connection)
        connection.execute(statement, values)


def test_a_catalogue_that_is_whole_has_no_findings(shop: Shop) -> None:
    assert verify(shop.catalog) == []


@pytest.mark.parametrize(
    ("statement", "table"),
    [
        ("UPDATE products SET attributes = replace(attributes, 'price', 'pride')", "products"),
        ("UPDATE images SET uri = 'x.jpg' WHERE image_id = 1", "images"),
        ("UPDATE images SET position = 7 WHERE image_id = 1", "images"),
        (
            "UPDATE embeddings SET vector = zeroblob(length(vector)) WHERE image_id = 1",
            "embeddings",
        ),
        ("UPDATE meta SET value = 'x' WHERE key = 'weights'", "meta"),
        ("UPDATE journal SET image_id = 77 WHERE seq = 1", "journal"),
        ("UPDATE journal SET at = 'x' WHERE seq = 1", "journal"),
        ("DELETE FROM journal WHERE seq = 1", "journal"),
        ("DELETE FROM journal WHERE operation = 'add_image' AND seq > 3", "journal"),
        ("DELETE FROM embeddings WHERE image_id = 1", "embeddings"),
        ("UPDATE segments SET seq = seq - 1", "segments"),
        ("UPDATE state SET products = products + 1", "state"),
    ],
)
def test_a_row_that_is_not_what_was_written_is_named(
    shop: Shop, statement: str, table: str
) -> None:
    edit(shop, statement)
    found = verify(shop.catalog)
    assert any(table in finding and str(shop.catalog.path) in finding for finding in found), found


def test_a_damaged_row_is_an_error_when_it_is_read(shop: Shop) -> None:
    edit(shop, "UPDATE products SET attributes = replace(attributes, 'price', 'pride')")
    with pytest.raises(CatalogError, match=r"catalog\.db: row '.*' of table products is damaged"):
        shop.state()


def test_a_product_whose_row_is_lost_is_damage_and_not_unknown(shop: Shop) -> None:
    product_id = next(iter(shop.state()))
    edit(shop, "UPDATE products SET product_id = 'x' WHERE product_id = ?", product_id)
    with pytest.raises(CatalogError, match="table products is damaged or missing"):
        shop.similar(product_id)


def test_a_product_with_an_image_less_is_damage(shop: Shop) -> None:
    edit(shop, "UPDATE images SET product_id = 'x' WHERE image_id = 1")
    with pytest.raises(CatalogError, match="of table products is damaged"):
        shop.state()


def test_vectors_that_are_not_of_length_one_are_found(shop: Shop) -> None:
    vector = np.full(DIMENSION, 0.5, np.float32).tobytes()
    edit(
        shop,
        "UPDATE embeddings SET vector = ?, checksum = ? WHERE image_id = 2",
        vector,
        checksum(2, vector),
    )
    found = verify(shop.catalog)
    assert any("length is not 1: images 2" in finding for finding in found)
    assert any(".faiss: vectors differ from the catalogue: images 2" in f for f in found)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda data: data[:-1], "bytes"),
        (lambda data: data[:-1] + bytes([data[-1] ^ 1]), "checksum"),
        (None, "No such file"),
    ],
)
def test_a_bad_segment_is_named_and_searches_go_on_without_it(
    shop: Shop, spoil: Callable[[bytes], bytes] | None, reason: str
) -> None:
    (path,) = shop.data.glob("segment*")
    data = path.read_bytes()
    path.unlink()
    if spoil:
        path.write_bytes(spoil(data))
    (finding,) = verify(shop.catalog)
    assert str(path) in finding
    assert reason in finding
    state = shop.state()
    shop.require(state, state)


def test_a_segment_of_another_catalogue_is_found(shop: Shop, tmp_path: Path) -> None:
    other = Shop(tmp_path / "other")
    other.do(operation_of("put", Random(5), {}, {}))
    other.do(Operation("compact"))
    (theirs,), (ours,) = other.data.glob("segment*"), shop.data.glob("segment*")
    with closing(sqlite3.connect(other.catalog.path)) as connection:
        row = connection.execute(
            "SELECT images, bytes, crc32, sha256, kind FROM segments"
        ).fetchone()
    other.close()
    ours.unlink()
    theirs.rename(ours)
    edit(shop, "UPDATE segments SET images = ?, bytes = ?, crc32 = ?, sha256 = ?, kind = ?", *row)
    columns = "file, generation, seq, images, bytes, crc32, sha256, kind, created_at"
    edit(shop, f"UPDATE segments SET checksum = checksum({columns})")
    assert any("images differ from the catalogue" in finding for finding in verify(shop.catalog))


def test_a_write_ahead_log_that_is_lost_is_noticed(shop: Shop) -> None:
    with shop.catalog.reader():  # keeps the log from being emptied
        shop.do(operation_of("put", Random(9), {}, {}))
        main = shop.catalog.path.read_bytes()
    shop.close()
    (shop.data / "catalog.db").write_bytes(main)
    with pytest.raises(CatalogError, match=r"ends at seq \d+, but catalog.mark records \d+"):
        Catalog(shop.data)


@pytest.mark.parametrize("lose", [lambda path: path.write_bytes(b""), Path.unlink])
def test_a_catalogue_that_is_lost_is_not_taken_for_a_new_one(
    shop: Shop, lose: Callable[[Path], object]
) -> None:
    shop.close()
    lose(shop.data / "catalog.db")
    with pytest.raises(CatalogError, match="ends at seq 0"):
        Catalog(shop.data, create=True)


def test_a_catalogue_that_is_replaced_under_a_process_is_not_read_on(shop: Shop) -> None:
    copy = shop.data / "copy"
    copy.write_bytes(shop.catalog.path.read_bytes())
    copy.rename(shop.catalog.path)
    with pytest.raises(CatalogError, match="was replaced by another file"):
        shop.state()


def test_a_catalogue_without_checksums_gets_them(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "catalog.db", isolation_level=None)) as old:
        for migration in MIGRATIONS[:2]:
            migration(old)
        old.executescript(
            """CREATE TABLE migrations (number INTEGER PRIMARY KEY, applied_at TEXT) STRICT;
            INSERT INTO migrations VALUES (1, ''), (2, '');
            INSERT INTO meta VALUES ('fingerprint', 'f'), ('weights', 'w'), ('dimension', '1');
            INSERT INTO products VALUES ('p', '{"price": 1}');
            INSERT INTO images VALUES (1, 'p', 0, 'u', 'l', 'c'), (3, 'p', 1, 'v', 'm', 'd');
            INSERT INTO embeddings VALUES (1, x'0000803f', 0), (3, x'0000803f', 0);
            INSERT INTO journal (seq, at, operation, product_id, image_id) VALUES
                (1, '', 'add_image', 'p', 1), (2, '', 'add_image', 'p', 2),
                (3, '', 'remove_image', 'p', 2), (4, '', 'add_image', 'p', 3),
                (5, '', 'put_product', 'p', NULL);"""
        )
    catalog = Catalog(tmp_path)
    assert verify(catalog) == []
    with catalog.reader() as reader:
        assert reader.seq == 5
        assert reader.changes_since(1).added.tolist() == [3]
    catalog.close()

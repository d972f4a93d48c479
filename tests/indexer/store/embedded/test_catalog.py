"""The catalogue: what goes in comes out, and the journal tells what happened."""

import json
import multiprocessing
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.arrays import Vector
from indexer.errors import CatalogError, FingerprintMismatchError, LockedError
from indexer.store import Image, NewImage, PutProduct
from indexer.store.embedded.catalog import Catalog, CatalogReader

DIMENSION = 4


def vector(seed: int) -> Vector:
    return np.random.default_rng(seed).random(DIMENSION, dtype=np.float32)


def photo(content: str) -> NewImage:
    return NewImage(f"{content}.jpg", f"/photos/{content}.jpg", content, vector(len(content)))


def put(product_id: str, *contents: str, **attributes: str | int | float | bool) -> PutProduct:
    return PutProduct(product_id, dict(attributes), tuple(photo(content) for content in contents))


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    catalog = Catalog(tmp_path / "shop", create=True)
    with catalog.writer() as writer:
        writer.bind(fingerprint="f1", weights="w1", dimension=DIMENSION)
    return catalog


def write(catalog: Catalog, *products: PutProduct) -> list[str]:
    with catalog.writer() as writer:
        return list(writer.put(products))


def images(catalog: Catalog, product_id: str) -> tuple[Image, ...]:
    with catalog.reader() as reader:
        return reader.products([product_id])[product_id].images


def test_a_product_comes_out_as_it_went_in(catalog: Catalog) -> None:
    write(catalog, put("a/b ü'\"", "x", "yy", price=1.5, in_stock=True, title="ça", stock=3))
    with catalog.reader() as reader:
        product = reader.products(["a/b ü'\""])["a/b ü'\""]
        ids, vectors = reader.vectors([image.image_id for image in product.images])
    assert product.attributes == {"price": 1.5, "in_stock": True, "title": "ça", "stock": 3}
    assert [image.uri for image in product.images] == ["x.jpg", "yy.jpg"]
    assert ids.tolist() == [image.image_id for image in product.images]
    np.testing.assert_array_equal(vectors, [vector(1), vector(2)])


def test_putting_says_what_it_did(catalog: Catalog) -> None:
    assert write(catalog, put("p", "x", price=1)) == ["added"]
    assert write(catalog, put("p", "x", price=1)) == ["unchanged"]
    assert write(catalog, put("p", "x", price=2)) == ["updated"]
    assert write(catalog, put("p", "x", "yy", price=2)) == ["updated"]
    assert write(catalog, put("p", "yy", "x", price=2)) == ["updated"]
    assert write(catalog, put("p", "yy", "x", price=2)) == ["unchanged"]


def test_true_and_one_are_different_attributes(catalog: Catalog) -> None:
    write(catalog, put("p", "x", limited=1))
    assert write(catalog, put("p", "x", limited=True)) == ["updated"]
    with catalog.reader() as reader:
        assert reader.products(["p"])["p"].attributes["limited"] is True


def test_an_unchanged_product_adds_nothing_to_the_journal(catalog: Catalog) -> None:
    write(catalog, put("p", "x"))
    with catalog.reader() as before:
        seq = before.seq
    write(catalog, put("p", "x"))
    with catalog.reader() as after:
        assert after.seq == seq


def test_a_photo_that_stays_keeps_its_image_id(catalog: Catalog) -> None:
    write(catalog, put("p", "x", "yy"))
    x, yy = images(catalog, "p")
    write(catalog, put("p", "yy", "zzz"))
    kept, new = images(catalog, "p")
    assert kept.image_id == yy.image_id
    assert new.image_id not in (x.image_id, yy.image_id)


def test_an_image_id_is_never_used_again(catalog: Catalog) -> None:
    write(catalog, put("p", "x"))
    (first,) = images(catalog, "p")
    with catalog.writer() as writer:
        assert writer.remove(["p", "absent"]) == ["p"]
    write(catalog, put("p", "x"))
    (second,) = images(catalog, "p")
    assert second.image_id > first.image_id


def test_two_products_with_the_same_photo_are_both_kept(catalog: Catalog) -> None:
    write(catalog, put("p", "x"), put("q", "x"))
    with catalog.reader() as reader:
        assert reader.counts() == (2, 2)
        assert set(reader.known_photos(["x"])) == {"x"}


def test_a_removal_leaves_nothing_behind(catalog: Catalog) -> None:
    write(catalog, put("p", "x", "yy"))
    with catalog.writer() as writer:
        writer.remove(["p"])
    with catalog.reader() as reader:
        assert reader.counts() == (0, 0)
        assert list(reader.all_vectors()) == []
        assert reader.known_photos(["x"]) == {}


def test_changes_since_a_seq_are_those_that_last(catalog: Catalog) -> None:
    write(catalog, put("p", "x"), put("q", "yy"))
    with catalog.reader() as reader:
        seq = reader.seq
    (old,) = images(catalog, "p")
    write(catalog, put("p", "zzz"), put("r", "vvvv"), put("s", "wwwww"))
    (new,) = images(catalog, "p")
    (kept,) = images(catalog, "s")
    with catalog.writer() as writer:
        writer.remove(["r"])
    with catalog.reader() as reader:
        changes = reader.changes_since(seq)
    assert changes.added.tolist() == [new.image_id, kept.image_id]
    assert changes.removed.tolist() == [old.image_id]


def test_a_snapshot_does_not_see_what_is_written_meanwhile(catalog: Catalog) -> None:
    write(catalog, put("p", "x"))
    with catalog.reader() as reader:
        write(catalog, put("q", "yy"))
        assert list(reader.product_ids()) == ["p"]
    with catalog.reader() as reader:
        assert list(reader.product_ids()) == ["p", "q"]


def test_a_batch_that_fails_changes_nothing(catalog: Catalog) -> None:
    unembedded = PutProduct("q", {}, (NewImage("u", "u", "u", None),))
    with pytest.raises(ValueError, match="has no vector"), catalog.writer() as writer:
        writer.put([put("p", "x"), unembedded])
    with catalog.reader() as reader:
        assert (reader.counts(), reader.seq) == ((0, 0), 0)


def test_another_fingerprint_is_refused_once_there_are_embeddings(catalog: Catalog) -> None:
    with catalog.writer() as writer:
        writer.bind(fingerprint="f2", weights="w2", dimension=DIMENSION)
        writer.bind(fingerprint="f1", weights="w1", dimension=DIMENSION)
        writer.put([put("p", "x")])
        writer.bind(fingerprint="f1", weights="w1", dimension=DIMENSION)
        with pytest.raises(FingerprintMismatchError, match=r"w1 .*received w2"):
            writer.bind(fingerprint="f2", weights="w2", dimension=DIMENSION)


def test_a_damaged_vector_is_named_and_not_returned(catalog: Catalog) -> None:
    write(catalog, put("p", "x"))
    (image,) = images(catalog, "p")
    with sqlite3.connect(catalog.path) as connection:
        blob = bytearray(connection.execute("SELECT vector FROM embeddings").fetchone()[0])
        blob[5] ^= 1
        connection.execute("UPDATE embeddings SET vector = ?", (bytes(blob),))
    connection.close()
    with (
        catalog.reader() as reader,
        pytest.raises(CatalogError, match=f"row {image.image_id} of table embeddings is"),
    ):
        reader.vectors([image.image_id])


def test_a_missing_catalogue_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=r"no catalogue at .*catalog\.db; add products first"):
        Catalog(tmp_path)


def test_a_file_that_is_no_catalogue_is_named(tmp_path: Path) -> None:
    (tmp_path / "catalog.db").write_bytes(b"no database, but long enough to be one" * 100)
    with pytest.raises(CatalogError, match=r"catalog\.db: file is not a database"):
        Catalog(tmp_path)


def test_a_catalogue_of_a_newer_version_is_refused(catalog: Catalog) -> None:
    with sqlite3.connect(catalog.path) as connection:
        connection.execute("INSERT INTO migrations VALUES (999, 'later')")
    connection.close()
    with pytest.raises(CatalogError, match="schema version 999"):
        Catalog(catalog.folder)


def _hold_lock(folder: Path, ready: Connection) -> None:
    with Catalog(folder).writer():
        ready.send(True)
        ready.recv()


@pytest.mark.slow
def test_a_second_writer_is_refused_with_the_pid_of_the_first(catalog: Catalog) -> None:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    holder = context.Process(target=_hold_lock, args=(catalog.folder, theirs))
    holder.start()
    ours.recv()
    with pytest.raises(LockedError, match=f"process {holder.pid} ") as caught, catalog.writer():
        pass
    assert caught.value.pid == holder.pid
    holder.kill()
    holder.join()
    with catalog.writer():  # the system has freed the lock
        pass


contents = st.lists(st.sampled_from("abcdefgh"), max_size=4)
operations = st.lists(
    st.tuples(
        st.sampled_from(["p", "q", "r/1", "ü"]),
        st.one_of(st.none(), st.tuples(contents, st.integers(0, 3))),
    ),
    max_size=12,
)


@settings(deadline=None)  # commits wait for the disk
@given(batches=st.lists(operations, max_size=4))
def test_any_operations_leave_what_a_dictionary_would_hold(
    tmp_path_factory: pytest.TempPathFactory,
    batches: list[list[tuple[str, tuple[list[str], int] | None]]],
) -> None:
    catalog = Catalog(tmp_path_factory.mktemp("model"), create=True)
    model: dict[str, tuple[list[str], int]] = {}
    with catalog.writer() as writer:
        writer.bind(fingerprint="f", weights="w", dimension=DIMENSION)
        for batch in batches:
            for product_id, state in batch:
                if state is None:
                    assert writer.remove([product_id]) == [product_id] * (product_id in model)
                    model.pop(product_id, None)
                else:
                    writer.put([put(product_id, *state[0], price=state[1])])
                    model[product_id] = state
    with catalog.reader() as reader:
        stored = reader.products(reader.product_ids())
        found = {
            product.product_id: (
                [image.content_hash for image in product.images],
                product.attributes["price"],
            )
            for product in stored.values()
        }
        assert found == model
        assert journalled_images(reader) == {
            image.image_id for product in stored.values() for image in product.images
        }
    catalog.close()


def journalled_images(reader: CatalogReader) -> set[int]:
    changes = reader.changes_since(0)
    assert changes.removed.size == 0  # nothing was there before the beginning
    return set(changes.added.tolist())


def test_attributes_are_stored_as_json_that_people_can_read(catalog: Catalog) -> None:
    write(catalog, put("p", "x", title="Stiefel für Kinder"))
    with sqlite3.connect(catalog.path) as connection:
        (text,) = connection.execute("SELECT attributes FROM products").fetchone()
    connection.close()
    assert "für" in text
    assert json.loads(text) == {"title": "Stiefel für Kinder"}


def test_a_new_catalogue_that_another_process_is_making_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    other = sqlite3.connect(tmp_path / "new" / "catalog.db", check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    with ThreadPoolExecutor(1) as pool:
        opening = pool.submit(Catalog, tmp_path / "new", create=True)
        time.sleep(0.3)
        assert not opening.done()
        other.rollback()
        with opening.result().reader() as reader:
            assert reader.seq == 0
    other.close()

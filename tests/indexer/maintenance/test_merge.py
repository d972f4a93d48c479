"""Catalogues made apart, merged: what one run over the whole feed would have made."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.errors import DamagedError, FingerprintMismatchError
from indexer.feeds import FeedRow, Rejection
from indexer.feeds.sharding import Shard
from indexer.ingest.report import Report
from indexer.maintenance.merge import merge
from indexer.store.embedded.catalog import Catalog
from tests.conftest import Store
from tests.fakes import FAKE_SPEC, FakeEmbedder

COLOURS = ["red", "navy", "green", "gold", "white", "black"]


def contents(store: Store) -> dict[str, object]:
    """Products with attributes, photos and vectors; image ids depend on the order."""
    with store.catalog.reader() as reader:
        ids, vectors = reader.vectors([i for chunk, _ in reader.all_vectors() for i in chunk])
        vector_of = dict(zip(ids.tolist(), vectors.tolist(), strict=True))
        return {
            product_id: (
                product.attributes,
                [
                    (i.uri, i.location, i.content_hash, vector_of[i.image_id])
                    for i in product.images
                ],
            )
            for product_id, product in reader.products(reader.product_ids()).items()
        }


def merged(into: Store, *sources: Store) -> Report:
    catalogs = [source.catalog for source in sources]
    return merge(into.catalog, catalogs, into.embedder.spec, lambda _: None)


def sharded(folder: Path, rows: Sequence[FeedRow | Rejection], parts: int) -> list[Store]:
    stores = [Store(folder / str(part)) for part in range(1, parts + 1)]
    for part, store in enumerate(stores, 1):
        store.indexer.add(Shard(part, parts).of(rows))
    return stores


@pytest.mark.slow
@settings(max_examples=15)
@given(
    st.dictionaries(
        st.text(
            st.characters(exclude_categories=["C", "Z"], exclude_characters="/"),
            min_size=1,
            max_size=5,
        ),
        st.lists(st.sampled_from(COLOURS), min_size=1, max_size=3),
        max_size=8,
    ),
    st.integers(1, 3),
)
def test_shards_merged_are_the_catalogue_of_the_whole_feed(
    products: dict[str, list[str]], parts: int
) -> None:
    with TemporaryDirectory() as folder:
        whole, into = Store(Path(folder, "whole")), Store(Path(folder, "into"))
        rows = [whole.row(name, *colours, price=1.5) for name, colours in products.items()]
        whole.add(*rows)
        stores = sharded(Path(folder), rows, parts)
        report = merged(into, *stores)
        assert sorted(report.added) == sorted(products)
        assert contents(into) == contents(whole)
        synced = into.indexer.sync(lambda: rows)
        assert (synced.unchanged, into.embedder.images_seen) == (len(products), 0)
        again = merged(into, *stores)
        assert (again.unchanged, again.added, again.updated) == (len(products), [], [])
        for store in (whole, into, *stores):
            store.catalog.close()


def test_merging_again_what_is_the_same_writes_nothing(store: Store, tmp_path: Path) -> None:
    (other,) = sharded(tmp_path, [store.row(f"p{n}", "red") for n in range(5)], 1)
    merged(store, other)
    with store.catalog.reader() as reader:
        before = reader.seq
    merged(store, other)
    with store.catalog.reader() as reader:
        assert reader.seq == before
    other.catalog.close()


def test_what_is_there_already_stays_and_what_differs_is_changed(
    store: Store, tmp_path: Path
) -> None:
    other = Store(tmp_path / "other")
    store.add(store.row("mine", "red"), store.row("both", "navy", price=1.0))
    other.add(other.row("both", "green", price=2.0), other.row("theirs", "gold"))
    report = merged(store, other)
    assert (report.added, report.updated, report.unchanged) == (["theirs"], ["both"], 0)
    assert contents(store)["both"] == contents(other)["both"]
    assert store.product_ids() == ["both", "mine", "theirs"]
    other.catalog.close()


def test_photos_that_lie_elsewhere_on_the_other_machine_are_not_embedded_again(
    store: Store, tmp_path: Path
) -> None:
    other = Store(tmp_path / "other")
    other.add(other.row("p", "red"), other.row("q", "navy"))
    merged(store, other)
    rows = [store.row("p", "red"), store.row("q", "navy")]  # in another folder
    report = store.indexer.sync(lambda: rows)
    assert (report.updated, report.embedded, store.embedder.images_seen) == (["p", "q"], 0, 0)
    with store.catalog.reader() as reader:
        stored = reader.products(["p"])["p"]
    assert stored.images[0].location == rows[0].images[0].location
    other.catalog.close()


def test_embeddings_of_another_model_are_refused_before_anything_is_written(
    store: Store, tmp_path: Path
) -> None:
    good, bad = Store(tmp_path / "good"), Store(tmp_path / "bad")
    bad.embedder = FakeEmbedder(replace(FAKE_SPEC, input_size=32))
    good.add(good.row("p", "red"))
    bad.add(bad.row("q", "blue"))
    with pytest.raises(FingerprintMismatchError, match="bad"):
        merged(store, good, bad)
    assert store.product_ids() == []
    good.catalog.close()
    bad.catalog.close()


def test_a_catalogue_without_products_adds_none(store: Store, tmp_path: Path) -> None:
    empty = Catalog(tmp_path / "empty", create=True)
    assert merge(store.catalog, [empty], FAKE_SPEC, lambda _: None) == Report()
    empty.close()


def test_a_damaged_vector_is_never_merged(store: Store, tmp_path: Path) -> None:
    other = Store(tmp_path / "other")
    other.add(other.row("p", "red"))
    with other.catalog.reader() as reader:
        _, vectors = reader.vectors([1])
    other.catalog.close()
    path = other.catalog.path
    data = bytearray(path.read_bytes())
    data[data.index(np.ascontiguousarray(vectors).tobytes()) + 5] ^= 1
    path.write_bytes(data)
    damaged = Catalog(other.catalog.folder)
    with pytest.raises(DamagedError, match="embeddings"):
        merge(store.catalog, [damaged], FAKE_SPEC, lambda _: None)
    assert store.product_ids() == []
    damaged.close()

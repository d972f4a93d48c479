"""Changing the model: every photo is embedded again, and the change is one step."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from indexer.arrays import Vectors
from indexer.config import FetchSettings, IndexSettings
from indexer.embedding.base import PixelBatch
from indexer.errors import LockedError
from indexer.fetch import PhotoSource
from indexer.images import ImageLimits
from indexer.ingest.sync import Indexer
from indexer.maintenance.compaction import rebuild
from indexer.maintenance.reembed import STAGING, re_embed, transform
from indexer.maintenance.restore import restore
from indexer.maintenance.snapshots import Snapshots
from indexer.search import SearchParameters
from indexer.store.embedded.catalog import Catalog
from tests.conftest import Store
from tests.fakes import FAKE_SPEC, FakeEmbedder

RED, GREEN, BLUE = "#d00000", "#00a000", "#0000c0"
OTHER_SPEC = replace(FAKE_SPEC, weights="other", weights_sha256="1" * 64)


@pytest.fixture
def shop(store: Store) -> Store:
    store.add(store.row("red", RED, price=5.0), store.row("green", GREEN), store.row("blue", BLUE))
    return store


def indexing(embedder: FakeEmbedder) -> Callable[[Catalog], Indexer]:
    photos = PhotoSource(ImageLimits(), FetchSettings())
    return lambda catalog: Indexer(catalog, embedder.spec, lambda: embedder, photos, lambda _: None)


def fingerprint(catalog: Catalog) -> str | None:
    with catalog.reader() as reader:
        return reader.fingerprint


def most_similar(store: Store, product_id: str) -> list[str]:
    parameters = SearchParameters(limit=3)
    answer = store.searcher.by_product(product_id, parameters, include_itself=True)
    return [match.product.product_id for match in answer.matches]


def test_products_stay_and_their_embeddings_are_of_the_new_model(shop: Store) -> None:
    rebuild(shop.catalog, IndexSettings())
    before = most_similar(shop, "red")
    embedder = FakeEmbedder(OTHER_SPEC)
    report = re_embed(shop.catalog, OTHER_SPEC.fingerprint, indexing(embedder))
    assert (report.embedded, embedder.images_seen) == (3, 3)
    assert fingerprint(shop.catalog) == OTHER_SPEC.fingerprint
    assert most_similar(shop, "red") == before
    with shop.catalog.reader() as reader:
        assert reader.products(["red"])["red"].attributes == {"price": 5.0}
    assert [each.name for each in (shop.catalog.folder / STAGING).iterdir()] == ["writer.lock"]


def test_an_unreadable_photo_leaves_everything_as_it_was_and_the_work_is_kept(shop: Store) -> None:
    photo = shop.photos / "green-0.png"
    data = photo.read_bytes()
    photo.unlink()
    before = most_similar(shop, "red")
    report = re_embed(shop.catalog, OTHER_SPEC.fingerprint, indexing(FakeEmbedder(OTHER_SPEC)))
    assert [rejection.product_id for rejection in report.rejected] == ["green"]
    assert fingerprint(shop.catalog) == FAKE_SPEC.fingerprint
    assert most_similar(shop, "red") == before
    photo.write_bytes(data)
    embedder = FakeEmbedder(OTHER_SPEC)
    re_embed(shop.catalog, OTHER_SPEC.fingerprint, indexing(embedder))
    assert embedder.images_seen == 1
    assert fingerprint(shop.catalog) == OTHER_SPEC.fingerprint


def test_what_was_embedded_for_a_third_model_is_not_used(shop: Store) -> None:
    (shop.photos / "green-0.png").unlink()
    re_embed(shop.catalog, OTHER_SPEC.fingerprint, indexing(FakeEmbedder(OTHER_SPEC)))
    shop.photo("green-0.png", GREEN)
    third = replace(FAKE_SPEC, weights="third", weights_sha256="2" * 64)
    embedder = FakeEmbedder(third)
    re_embed(shop.catalog, third.fingerprint, indexing(embedder))
    assert embedder.images_seen == 3
    assert fingerprint(shop.catalog) == third.fingerprint


def test_embeddings_that_are_there_already_are_not_made_again(shop: Store) -> None:
    embedder = FakeEmbedder()
    re_embed(shop.catalog, FAKE_SPEC.fingerprint, indexing(embedder))
    assert embedder.calls == 0


def test_other_writers_go_on_meanwhile_and_what_they_change_is_kept(shop: Store) -> None:
    class Interrupted(FakeEmbedder):
        """Another process changes the catalogue while the first photos are embedded."""

        def embed_batch(self, images: PixelBatch) -> Vectors:
            if not self.calls:
                shop.add(shop.row("red", RED, price=4.0), shop.row("new", "gold"))
                with shop.catalog.writer() as writer:
                    writer.remove(["blue"])
            return super().embed_batch(images)

    report = re_embed(shop.catalog, OTHER_SPEC.fingerprint, indexing(Interrupted(OTHER_SPEC)))
    assert (report.embedded, report.rejected) == (4, [])
    assert fingerprint(shop.catalog) == OTHER_SPEC.fingerprint
    assert shop.product_ids() == ["green", "new", "red"]
    with shop.catalog.reader() as reader:
        assert reader.products(["red"])["red"].attributes == {"price": 4.0}


def test_a_second_run_is_refused_and_the_work_of_the_first_is_kept(shop: Store) -> None:
    refused: list[int | None] = []

    class Interrupted(FakeEmbedder):
        def embed_batch(self, images: PixelBatch) -> Vectors:
            for spec in (OTHER_SPEC, FAKE_SPEC):
                with pytest.raises(LockedError) as error:
                    re_embed(shop.catalog, spec.fingerprint, indexing(FakeEmbedder(spec)))
                refused.append(error.value.pid)
            with pytest.raises(LockedError):
                transform(shop.catalog, OTHER_SPEC, lambda vectors: vectors)
            return super().embed_batch(images)

    embedder = Interrupted(OTHER_SPEC)
    report = re_embed(shop.catalog, OTHER_SPEC.fingerprint, indexing(embedder))
    assert set(refused) == {os.getpid()}
    assert (report.embedded, report.rejected) == (3, [])
    assert fingerprint(shop.catalog) == OTHER_SPEC.fingerprint


def test_a_run_without_need_keeps_the_work_for_another_model(shop: Store) -> None:
    photo = shop.photos / "green-0.png"
    data = photo.read_bytes()
    photo.unlink()
    re_embed(shop.catalog, OTHER_SPEC.fingerprint, indexing(FakeEmbedder(OTHER_SPEC)))
    re_embed(shop.catalog, FAKE_SPEC.fingerprint, indexing(FakeEmbedder()))
    photo.write_bytes(data)
    embedder = FakeEmbedder(OTHER_SPEC)
    re_embed(shop.catalog, OTHER_SPEC.fingerprint, indexing(embedder))
    assert embedder.images_seen == 1


def test_a_snapshot_that_is_restored_meanwhile_is_what_is_embedded(
    shop: Store, tmp_path: Path
) -> None:
    snapshots = Snapshots(tmp_path / "snapshots")
    name = snapshots.create(shop.catalog).name

    class Interrupted(FakeEmbedder):
        def embed_batch(self, images: PixelBatch) -> Vectors:
            if not self.calls:
                restore(snapshots, name, shop.catalog.folder, FAKE_SPEC)
            return super().embed_batch(images)

    shop.add(shop.row("new", "gold"))
    re_embed(shop.catalog, OTHER_SPEC.fingerprint, indexing(Interrupted(OTHER_SPEC)))
    assert fingerprint(shop.catalog) == OTHER_SPEC.fingerprint
    assert shop.product_ids() == ["blue", "green", "red"]

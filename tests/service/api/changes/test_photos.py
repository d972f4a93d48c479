"""The photos of products that were put."""

from dataclasses import replace
from typing import Any

import numpy as np
from flask.testing import FlaskClient

from indexer.arrays import Vectors
from indexer.config import FetchSettings
from indexer.embedding.base import PixelBatch
from indexer.fetch import PhotoSource
from indexer.images import ImageLimits
from indexer.ingest.sync import Indexer
from indexer.interchange.transfer import import_features
from indexer.maintenance.reembed import re_embed
from indexer.store.embedded.catalog import Catalog
from tests.conftest import Store, png
from tests.fakes import FAKE_SPEC, FakeEmbedder
from tests.processes import cli
from tests.service.api.changes.conftest import kept, put, stored
from tests.service.conftest import serving


def test_a_photo_is_embedded_once(store: Store) -> None:
    embedder = FakeEmbedder()
    with serving(store.catalog.folder.parent, load=lambda _: embedder) as client:
        to_warm_up = embedder.images_seen
        put(client, "a", "red")
        put(client, "b", "red", "navy")
    assert embedder.images_seen - to_warm_up == 2


def test_uploaded_photos_can_be_embedded_again_by_another_model(
    client: FlaskClient, store: Store
) -> None:
    put(client, "a", "red", "navy")
    other = FakeEmbedder(replace(FAKE_SPEC, weights_sha256="1" * 64))

    def indexer(catalog: Catalog) -> Indexer:
        source = PhotoSource(ImageLimits(), FetchSettings())
        return Indexer(catalog, other.spec, lambda: other, source, lambda _: None)

    report = re_embed(store.catalog, other.spec.fingerprint, indexer)
    assert (report.embedded, report.rejected) == (2, [])


def test_vectors_of_another_model_take_no_photos_but_can_be_changed(
    client: FlaskClient, store: Store
) -> None:
    names, features = store.photos / "n.txt", store.photos / "v.npy"
    names.write_text("a\n")
    np.save(features, np.eye(1, 48, dtype=np.float32))
    import_features(store.catalog, features, names, store.embedder.spec, same_model=False)
    refused = put(client, "b", "red")
    assert (refused.status_code, refused.json["code"]) == (409, "fingerprint_mismatch")
    assert client.patch("/v1/products/a", json={"attributes": {"size": 1}}).status_code == 200
    assert client.delete("/v1/products/a").status_code == 200


def test_a_product_whose_photos_are_stored_can_be_put_whatever_model_made_their_vectors(
    store: Store,
) -> None:
    other = FakeEmbedder(replace(FAKE_SPEC, weights_sha256="1" * 64))
    with serving(store.catalog.folder.parent, load=lambda _: other) as client:
        put(client, "a", "red")
    with serving(store.catalog.folder.parent) as client:
        assert put(client, "a", "red", price="5.00 EUR").json["outcome"] == "updated"
        assert put(client, "b", "red").json["outcome"] == "added"
        assert put(client, "c", "red", "navy").status_code == 409
        found: Any = client.get("/v1/products/a/similar").json
    assert [result["product_id"] for result in found["results"]] == ["b"]


def test_vectors_that_are_replaced_while_a_product_is_put_are_never_mixed_with_others(
    store: Store,
) -> None:
    """Photos are embedded before the lock is taken; the catalogue may be embedded again then."""
    other = FakeEmbedder(replace(FAKE_SPEC, weights_sha256="1" * 64))
    source = PhotoSource(ImageLimits(), FetchSettings())

    class Replacing(FakeEmbedder):
        armed = False

        def embed_batch(self, images: PixelBatch) -> Vectors:
            if self.armed:
                re_embed(
                    store.catalog,
                    other.spec.fingerprint,
                    lambda into: Indexer(into, other.spec, lambda: other, source, lambda _: None),
                )
            return super().embed_batch(images)

    embedder = Replacing()
    with serving(store.catalog.folder.parent, load=lambda _: embedder) as client:
        put(client, "a", "red")
        embedder.armed = True
        refused = put(client, "b", "navy")
        assert (refused.status_code, refused.json["code"]) == (409, "fingerprint_mismatch")
        assert "meanwhile" in refused.json["detail"]
    assert list(stored(store)) == ["a"]


def test_photos_of_products_that_the_command_line_removed_go_when_it_compacts(
    client: FlaskClient, store: Store
) -> None:
    put(client, "a", "red")
    put(client, "b", "navy")
    with store.catalog.writer() as writer:
        writer.remove(["a"])
    assert len(kept(store)) == 2
    assert cli("compact", data_dir=store.catalog.folder.parent).code == 0
    assert [path.read_bytes() for path in kept(store)] == [png("navy")]


def test_a_photo_that_was_cut_on_disk_is_written_again(client: FlaskClient, store: Store) -> None:
    put(client, "a", "red")
    (path,) = kept(store)
    path.write_bytes(b"")
    put(client, "b", "red")
    assert path.read_bytes() == png("red")

"""Collections beside each other, and catalogues that come, go and change."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from indexer.config import EmbeddingSettings
from indexer.embedding import Embedder
from indexer.interchange.transfer import import_features
from indexer.store.embedded.catalog import Catalog
from tests.conftest import Store, png
from tests.fakes import FAKE_SPEC, FakeEmbedder
from tests.processes import wait_for
from tests.service.conftest import serving
from tests.service.engine.readiness import make_catalogue, products_of, readiness, reason, search


def test_collections_never_mix(store: Store, tmp_path: Path) -> None:
    store.add(store.row("shoe", "red"), store.row("same", "navy"))
    bags = Store(tmp_path / "other")
    bags.catalog.close()
    bags.catalog = Catalog(store.catalog.folder.parent / "bags", create=True)
    bags.add(bags.row("bag", "red"), bags.row("same", "green"))
    with serving(store.catalog.folder.parent, "bags") as client:
        assert readiness(client)[0] == 200
        for collection, products, colour in (
            ("default", ["shoe", "same"], "navy"),
            ("bags", ["bag", "same"], "green"),
        ):
            found = search(client, png("red"), collection=collection)
            assert found.json["collection"] == collection
            assert products_of(found) == products
            for result in found.json["results"]:
                assert client.get(result["image_url"]).status_code == 200
            same: Any = client.get(f"/v1/products/same?collection={collection}").json
            assert client.get(same["images"][0]["image_url"]).data == png(colour)
        assert client.get("/v1/products/bag").status_code == 404
        assert client.get("/v1/products/shoe/similar?collection=bags").status_code == 404
    bags.catalog.close()


def test_collections_of_equal_settings_share_one_model(tmp_path: Path) -> None:
    loaded: list[EmbeddingSettings] = []

    def load(settings: EmbeddingSettings) -> Embedder:
        loaded.append(settings)
        return FakeEmbedder()

    with serving(tmp_path, "bags", "hats", load=load) as client:
        assert len(readiness(client)[1]["collections"]) == 3
    assert len(loaded) == 1


def test_a_collection_that_was_emptied_takes_vectors_of_another_length(
    store: Store, tmp_path: Path
) -> None:
    np.save(tmp_path / "v.npy", np.eye(7) + 0.1)
    (tmp_path / "n.txt").write_text("\n".join("abcdefg"))
    files = (tmp_path / "v.npy", tmp_path / "n.txt")
    with serving(store.catalog.folder.parent) as client:
        import_features(store.catalog, *files, FAKE_SPEC, same_model=False)
        assert len(products_of(client.get("/v1/products/a/similar"))) == 6
        with store.catalog.writer() as writer:
            writer.remove("abcdefg")
        assert client.get("/v1/products/a").status_code == 404
        store.add(store.row("shoe", "red"))
        assert products_of(search(client, png("red"))) == ["shoe"]


def test_a_data_folder_that_is_not_there_is_missing_until_something_is_indexed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data_dir = tmp_path / "mistyped"
    with serving(data_dir, create=False) as client:
        code, status, detail = reason(client)
        assert (code, status) == (503, "missing")
        for told in (f"{data_dir} does not exist", "storage.data_dir", "python -m indexer sync"):
            assert told in detail
            assert told in caplog.text
        assert client.get("/healthz").status_code == 200
        answers: list[Any] = [
            search(client, png("red")),
            client.get("/v1/products/red/similar"),
            client.put("/v1/products/red", json={"images": ["aGk="]}),
        ]
        for answer in answers:
            assert (answer.status_code, answer.json["code"]) == (503, "catalog_missing")
            assert str(data_dir) not in answer.text
        client.post(
            "/v1/events", json={"query_id": "0" * 32, "product_id": "red", "action": "click"}
        )
        assert not data_dir.exists()
        make_catalogue(data_dir, "red").close()
        wait_for(lambda: reason(client) == (200, "ready", ""), "readiness", seconds=5)
        assert products_of(search(client, png("red"))) == ["red"]


def test_a_collection_without_a_catalogue_is_named_and_the_others_are_searched(
    store: Store,
) -> None:
    store.add(store.row("shoe", "red"))
    data_dir = store.catalog.folder.parent
    with serving(data_dir, "bags", create=False) as client:
        code, document = readiness(client)
        assert (code, document["status"]) == (503, "missing")
        bags, default = document["collections"]
        assert (bags["status"], default["status"]) == ("missing", "ready")
        assert f"{data_dir / 'bags'} has no catalogue" in bags["detail"]
        assert "python -m indexer --collection bags sync FEED" in bags["detail"]
        assert products_of(search(client, png("red"))) == ["shoe"]
        assert not (data_dir / "bags").exists()


def test_an_empty_catalogue_is_ready_and_says_that_it_is_empty(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(store.catalog.folder.parent) as client:
        code, status, detail = reason(client)
        assert (code, status) == (200, "ready")
        for told in (f"{store.catalog.folder} is empty", "storage.data_dir"):
            assert told in detail
            assert told in caplog.text
        assert 'image_search_products{collection="default"} 0.0' in client.get("/metrics").text
        assert 'image_search_ready{collection="default"} 1.0' in client.get("/metrics").text
        store.add(store.row("shoe", "red"))
        wait_for(lambda: reason(client) == (200, "ready", ""), "counting", seconds=5)
        counted = 'image_search_products{collection="default"} 1.0'
        wait_for(lambda: counted in client.get("/metrics").text, "measuring", seconds=5)


def test_a_data_folder_that_is_moved_is_missing_until_it_is_put_back(store: Store) -> None:
    store.add(store.row("shoe", "red"))
    data_dir = store.catalog.folder.parent
    with serving(data_dir) as client:
        data_dir.rename(data_dir.with_name("moved"))
        assert (reason(client)[0], search(client, png("red")).status_code) == (503, 503)
        wait_for(lambda: "does not exist" in reason(client)[2], "noticing", seconds=5)
        assert reason(client)[:2] == (503, "missing")
        assert 'image_search_ready{collection="default"} 0.0' in client.get("/metrics").text
        assert not data_dir.exists()
        data_dir.with_name("moved").rename(data_dir)
        wait_for(lambda: reason(client) == (200, "ready", ""), "recovery", seconds=5)
        assert products_of(search(client, png("red"))) == ["shoe"]
        store.add(store.row("boot", "crimson"))
        wait_for(lambda: readiness(client)[1]["collections"][0]["products"] == 2, "following")


def test_another_catalogue_in_its_place_is_opened_and_never_mixed_with_the_first(
    store: Store, tmp_path: Path
) -> None:
    store.add(store.row("shoe", "red"), store.row("sandal", "crimson"))
    data_dir = store.catalog.folder.parent
    make_catalogue(tmp_path / "other", "navy", "red", "green").close()
    with serving(data_dir) as client:
        assert products_of(search(client, png("red"))) == ["shoe", "sandal"]
        data_dir.rename(data_dir.with_name("moved"))
        (tmp_path / "other").rename(data_dir)
        found: set[tuple[int, tuple[str, ...]]] = set()

        def recovered() -> bool:
            answer = search(client, png("red"))
            products = tuple(products_of(answer)) if answer.status_code == 200 else ()
            found.add((answer.status_code, products))
            return bool(products)

        wait_for(recovered, "recovery", seconds=5)
        assert found <= {(503, ()), (200, ("red", "green", "navy"))}
        assert reason(client) == (200, "ready", "")

"""When a collection is ready, what it says until then, and when it is damaged."""

import sqlite3
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from indexer.config import EmbeddingSettings
from indexer.embedding import Embedder, load_embedder
from indexer.embedding.spec import UNTRAINED_SHA256
from indexer.errors import WeightsError
from indexer.interchange.transfer import import_features
from tests.conftest import Store, png
from tests.fakes import FAKE_SPEC, FakeEmbedder
from tests.processes import FAKE, ask, gunicorn, wait_for
from tests.service.conftest import serving
from tests.service.engine.readiness import (
    READY,
    make_catalogue,
    products_of,
    readiness,
    reason,
    search,
)


def test_a_service_is_ready_before_there_is_a_product(tmp_path: Path) -> None:
    with serving(tmp_path) as client:
        status, document = readiness(client)
        detail = document["collections"][0]["detail"]
        expected = {"status": "ready", "collections": [READY | {"detail": detail}]}
        assert (status, document) == (200, expected)


def test_what_is_indexed_later_is_counted(store: Store) -> None:
    with serving(store.catalog.folder.parent) as client:
        store.add(store.row("shoe", "red", "navy"), store.row("hat", "green"))
        with store.catalog.reader() as reader:
            seq = reader.seq
        expected = READY | {"products": 2, "seq": seq}
        wait_for(lambda: readiness(client)[1]["collections"] == [expected], "counting", seconds=10)


def test_until_the_model_is_loaded_searches_are_put_off_and_health_is_good(store: Store) -> None:
    store.add(store.row("shoe", "red"))
    go_on = threading.Event()

    def load(_: EmbeddingSettings) -> Embedder:
        go_on.wait(20)
        return FakeEmbedder()

    with serving(store.catalog.folder.parent, load=load, wait=False) as client:
        status, document = readiness(client)
        assert (status, document["status"]) == (503, "starting")
        assert document["collections"][0]["detail"]
        assert client.get("/healthz").status_code == 200
        answers: list[Any] = [
            search(client, png("red")),
            client.post("/v1/search", json={"product_id": "shoe"}),
            client.get("/v1/products/shoe"),
            client.get("/v1/products/shoe/similar"),
            client.get("/v1/images/1"),
        ]
        for response in answers:
            assert response.status_code == 503
            assert response.json["code"] == "not_ready"
            assert int(response.headers["Retry-After"]) >= 1
        go_on.set()
        wait_for(lambda: readiness(client)[0] == 200, "readiness", seconds=5)
        assert products_of(search(client, png("red"))) == ["shoe"]


def test_weights_that_are_not_there_are_told_and_the_process_lives(tmp_path: Path) -> None:
    def load(_: EmbeddingSettings) -> Embedder:
        raise WeightsError("cannot read the weights file shoes.h5")

    with serving(tmp_path, load=load) as client:
        status, document = readiness(client)
        assert (status, document["status"]) == (503, "no_model")
        assert "shoes.h5" in document["collections"][0]["detail"]
        assert client.get("/healthz").status_code == 200
        response = search(client, png("red"))
        assert (response.status_code, response.json["code"]) == (503, "not_ready")
        assert "shoes.h5" not in response.text  # who searches can do nothing about it


@pytest.mark.parametrize(
    "settings",
    [
        {"weights": "/nope/w.h5"},
        {"weights": "untrained", "whitening": "/nope/w.npz"},
        {"model": "/nope/m.onnx"},
    ],
    ids=["weights", "whitening", "model"],
)
def test_a_file_of_the_model_that_does_not_exist_stops_only_searches_by_photo(
    store: Store, settings: dict[str, Any]
) -> None:
    store.add(store.row("shoe", "red"), store.row("hat", "navy"))
    embedding = EmbeddingSettings(**settings)
    with serving(store.catalog.folder.parent, load=load_embedder, embedding=embedding) as client:
        status, readiness_, detail = reason(client)
        assert (status, readiness_) == (503, "no_model")
        assert "/nope" in detail
        assert products_of(client.get("/v1/products/shoe/similar")) == ["hat"]
        assert (
            client.patch("/v1/products/hat", json={"attributes": {"price": 5}}).status_code == 200
        )
        response = search(client, png("red"))
        assert (response.status_code, response.json["code"]) == (503, "not_ready")


def test_an_unexpected_fault_at_the_start_is_told_without_its_secrets(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def load(_: EmbeddingSettings) -> Embedder:
        raise RuntimeError("secret")

    with serving(tmp_path, load=load) as client:
        status, document = readiness(client)
    assert (status, document["status"]) == (503, "no_model")
    assert "secret" not in str(document)
    assert "secret" in caplog.text


def test_a_collection_that_failed_is_not_hidden_by_one_of_another_model(store: Store) -> None:
    store.add(store.row("shoe", "red"))
    bags = store.catalog.folder.parent / "bags"
    bags.mkdir()
    other = FakeEmbedder(replace(FAKE_SPEC, weights="other", weights_sha256="1" * 64))
    with serving(bags.parent, "bags", load=lambda _: other) as client:
        assert (readiness(client)[0], readiness(client)[1]["status"]) == (200, "mismatch")
    (bags / "catalog.db").write_bytes(b"no database" * 100)
    with serving(bags.parent, "bags", load=lambda _: other) as client:
        assert (readiness(client)[0], readiness(client)[1]["status"]) == (503, "failed")


def test_imported_vectors_are_ready_and_searched_by_product_only(
    store: Store, tmp_path: Path
) -> None:
    np.save(tmp_path / "v.npy", np.eye(3, 7) + 0.1)
    (tmp_path / "n.txt").write_text("a.jpg\nb.jpg\nc.jpg\n")
    files = (tmp_path / "v.npy", tmp_path / "n.txt")
    import_features(store.catalog, *files, FAKE_SPEC, same_model=False)
    with serving(store.catalog.folder.parent) as client:
        status, document = readiness(client)
        (state,) = document["collections"]
        assert (status, state["status"], state["photo_search"]) == (200, "ready", False)
        assert (state["products"], state["weights"]) == (3, "imported")
        assert search(client, png("red")).status_code == 409
        assert products_of(client.get("/v1/products/a/similar")) == ["b", "c"]


def test_untrained_weights_are_told(tmp_path: Path) -> None:
    spec = replace(FAKE_SPEC, weights="untrained", weights_sha256=UNTRAINED_SHA256)
    with serving(tmp_path, load=lambda _: FakeEmbedder(spec)) as client:
        (state,) = readiness(client)[1]["collections"]
    assert (state["weights"], state["trained"]) == ("untrained", False)


def test_a_damaged_catalogue_fails_its_collection_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "bags").mkdir()
    (tmp_path / "bags" / "catalog.db").write_bytes(b"no database" * 100)
    with serving(tmp_path, "bags") as client:
        status, document = readiness(client)
        assert (status, document["status"]) == (503, "failed")
        states = {state["name"]: state["status"] for state in document["collections"]}
        assert states == {"bags": "failed", "default": "ready"}
        assert search(client, png("red")).status_code == 200
        assert search(client, png("red"), collection="bags").status_code == 503


def test_a_collection_that_failed_to_open_is_opened_once_it_can_be(store: Store) -> None:
    store.add(store.row("shoe", "red"))
    store.catalog.close()
    whole = store.catalog.path.read_bytes()
    store.catalog.path.write_bytes(b"no database" * 100)
    with serving(store.catalog.folder.parent) as client:
        code, status, detail = reason(client)
        assert (code, status) == (503, "failed")
        assert "file is not a database" in detail
        store.catalog.path.write_bytes(whole)
        wait_for(lambda: reason(client) == (200, "ready", ""), "recovery", seconds=20)
        assert products_of(search(client, png("red"))) == ["shoe"]


def test_without_its_model_a_collection_is_searched_by_product_until_the_model_is_loaded(
    store: Store, tmp_path: Path
) -> None:
    store.add(store.row("shoe", "red"), store.row("boot", "crimson"))
    weights = tmp_path / "shoes.h5"

    def load(_: EmbeddingSettings) -> Embedder:
        if not weights.exists():
            raise WeightsError("cannot read the weights file shoes.h5")
        return FakeEmbedder()

    with serving(store.catalog.folder.parent, load=load) as client:
        assert reason(client)[:2] == (503, "no_model")
        assert products_of(client.get("/v1/products/shoe/similar")) == ["boot"]
        like = client.post("/v1/search", json={"more_like": ["shoe"]})
        assert products_of(like) == ["boot"]
        changes = {"attributes": {"price": "5.00 EUR"}}
        assert client.patch("/v1/products/shoe", json=changes).status_code == 200
        gauge = 'image_search_without_photos{collection="default"} '
        assert f"{gauge}1.0" in client.get("/metrics").text
        weights.touch()
        wait_for(lambda: reason(client) == (200, "ready", ""), "recovery", seconds=20)
        assert products_of(search(client, png("red"))) == ["shoe", "boot"]
        wait_for(lambda: f"{gauge}0.0" in client.get("/metrics").text, "measuring", seconds=5)


def test_a_catalogue_that_is_damaged_while_it_is_served_is_told_and_not_a_fault(
    store: Store,
) -> None:
    store.add(store.row("shoe", "red"))
    with serving(store.catalog.folder.parent) as client:
        with closing(sqlite3.connect(store.catalog.path)) as connection, connection:
            connection.execute("UPDATE state SET products = 7")
        code, status, detail = reason(client)
        assert (code, status) == (503, "failed")
        assert "table state is damaged" in detail


@pytest.mark.slow
def test_a_damaged_catalogue_stays_failed_until_all_of_it_is_whole(store: Store) -> None:
    store.add(store.row("shoe", "red"), store.row("boot", "crimson"))

    def change(statement: str, *values: str) -> None:
        with closing(sqlite3.connect(store.catalog.path)) as connection, connection:
            connection.execute(statement, values)

    with closing(sqlite3.connect(store.catalog.path)) as connection:
        ((stored,),) = connection.execute(
            "SELECT attributes FROM products WHERE product_id = 'boot'"
        )
    with serving(store.catalog.folder.parent) as client:
        change("UPDATE products SET attributes = '[]' WHERE product_id = 'boot'")
        change("UPDATE state SET products = 7")
        assert reason(client)[:2] == (503, "failed")
        change("UPDATE state SET products = 2")
        end = time.monotonic() + 2
        while time.monotonic() < end:
            assert reason(client)[:2] == (503, "failed")
        assert 'image_search_ready{collection="default"} 0.0' in client.get("/metrics").text
        change("UPDATE products SET attributes = ? WHERE product_id = 'boot'", stored)
        wait_for(lambda: reason(client) == (200, "ready", ""), "recovery", seconds=20)
        assert products_of(client.get("/v1/products/shoe/similar")) == ["boot"]


def test_damage_that_only_a_search_meets_fails_its_collection(store: Store) -> None:
    store.add(store.row("shoe", "red"), store.row("boot", "crimson"))
    with serving(store.catalog.folder.parent) as client:
        with closing(sqlite3.connect(store.catalog.path)) as connection, connection:
            connection.execute("UPDATE products SET attributes = '[]' WHERE product_id = 'boot'")
        assert reason(client) == (200, "ready", "")
        assert client.get("/v1/products/shoe/similar").status_code == 500
        code, status, detail = reason(client)
        assert (code, status) == (503, "failed")
        assert "boot" in detail


def test_a_server_that_starts_before_anything_is_indexed_answers_and_becomes_ready(
    tmp_path: Path,
) -> None:
    data_dir = tmp_path / "data"
    with gunicorn(data_dir, tmp_path / "log", FAKE, wait=False) as service:
        assert ask(service.url, "/healthz").status == 200
        wait_for(lambda: "does not exist" in ask(service.url, "/readyz").body.decode(), "opening")
        assert ask(service.url, "/readyz").status == 503
        assert ask(service.url, "/v1/products/red/similar").json["code"] == "catalog_missing"
        assert "storage.data_dir" in service.log.read_text()
        assert not data_dir.exists()
        make_catalogue(data_dir, "red").close()
        wait_for(lambda: ask(service.url, "/readyz").status == 200, "readiness", seconds=20)
        assert ask(service.url, "/v1/products/red/similar").status == 200

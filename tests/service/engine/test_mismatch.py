"""A catalogue of another model than configured, as after an upgrade: nothing but photos stops."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from indexer.embedding.spec import RETIRED_SHA256
from tests.conftest import Store, png
from tests.fakes import FAKE_SPEC, FakeEmbedder
from tests.processes import FAKE, Service, ask, cli, gunicorn, upload, wait_for

OLD = replace(FAKE_SPEC, weights="fashion", weights_sha256=RETIRED_SHA256["fashion-1"])
DIFFERENCE = "made with embedding.weights fashion-1, but the settings say embedding.weights fake"


@pytest.fixture
def old(tmp_path: Path) -> Store:
    """A catalogue that an earlier version filled, and that is not open."""
    store = Store(tmp_path / "store", FakeEmbedder(OLD))
    store.add(
        store.row("shoe", "red", price=10.0),
        store.row("boot", "crimson", price=20.0),
        store.row("hat", "navy", price=30.0),
    )
    store.catalog.close()
    return store


@pytest.fixture
def upgraded(old: Store, tmp_path: Path) -> Iterator[Service]:
    with gunicorn(old.catalog.folder.parent, tmp_path / "log", FAKE) as service:
        yield service


def feed_of(store: Store, tmp_path: Path, **prices: float) -> Path:
    feed = tmp_path / "feed.csv"
    rows = [f"{name},{store.photos / name}-0.png,{price:.2f} EUR" for name, price in prices.items()]
    feed.write_text("\n".join(["id,image_link,price", *rows]) + "\n")
    return feed


def send(service: Service, method: str, path: str, document: object) -> Any:
    body = json.dumps(document).encode()
    return ask(
        service.url, path, method=method, body=body, headers={"Content-Type": "application/json"}
    )


def products_of(reply: Any) -> list[str]:
    assert reply.status == 200, reply.body
    return [result["product_id"] for result in reply.json["results"]]


def test_products_are_searched_and_changed_and_photos_are_refused_with_the_way_out(
    upgraded: Service,
) -> None:
    by_id = {"product_id": "shoe", "filter": ["price<=20"]}
    assert products_of(ask(upgraded.url, "/v1/products/shoe/similar")) == ["boot", "hat"]
    assert products_of(send(upgraded, "POST", "/v1/search", by_id)) == ["shoe", "boot"]
    batch = send(upgraded, "POST", "/v1/search/batch", {"queries": [by_id]})
    assert (batch.status, len(batch.json["answers"])) == (200, 1)
    changes = {"attributes": {"price": "5.00 EUR", "in_stock": False}}
    assert send(upgraded, "PATCH", "/v1/products/boot", changes).status == 200
    assert ask(upgraded.url, "/v1/products/boot").json["attributes"]["price"] == 5.0
    assert ask(upgraded.url, "/v1/products/hat", method="DELETE").status == 200
    photo = "iVBORw0KGgo="
    for refused in (
        upload(upgraded.url, png("red")),
        send(upgraded, "PUT", "/v1/products/new", {"images": [photo]}),
    ):
        assert (refused.status, refused.json["code"]) == (409, "fingerprint_mismatch")
        assert DIFFERENCE in refused.json["detail"]
        assert "`rebuild --re-embed`" in refused.json["detail"]


def test_it_is_ready_so_that_a_rolling_deployment_goes_on_and_says_what_is_missing(
    upgraded: Service,
) -> None:
    ready = ask(upgraded.url, "/readyz")
    (state,) = ready.json["collections"]
    assert (ready.status, ready.json["status"], state["status"]) == (200, "mismatch", "mismatch")
    assert (state["photo_search"], state["weights"], state["products"]) == (False, "fashion-1", 3)
    for told in (state["detail"], upgraded.log.read_text()):
        assert DIFFERENCE in told
        assert "`rebuild --re-embed`" in told
    metrics = ask(upgraded.url, "/metrics").body.decode()
    assert 'image_search_without_photos{collection="default"} 1.0' in metrics
    assert 'image_search_ready{collection="default"} 1.0' in metrics


def test_embedding_again_beside_the_service_brings_photo_search_back_without_a_restart(
    upgraded: Service, old: Store
) -> None:
    data_dir = old.catalog.folder.parent
    assert upload(upgraded.url, png("red")).status == 409
    assert cli("rebuild", "--re-embed", data_dir=data_dir, module="tests.processes").code == 0
    wait_for(lambda: upload(upgraded.url, png("red")).status == 200, "photo search", seconds=5)
    assert products_of(upload(upgraded.url, png("red"))) == ["shoe", "boot", "hat"]
    assert ask(upgraded.url, "/readyz").json["status"] == "ready"
    gone = 'image_search_without_photos{collection="default"} 0.0'
    wait_for(lambda: gone in ask(upgraded.url, "/metrics").body.decode(), "measuring", seconds=5)


def test_the_command_line_does_all_that_needs_no_model(old: Store, tmp_path: Path) -> None:
    data_dir = old.catalog.folder.parent

    def run(*arguments: str) -> Any:
        return cli(*arguments, "--json", data_dir=data_dir, module="tests.processes")

    found = json.loads(run("search", "--product", "shoe").out)
    assert [result["product_id"] for result in found["results"]] == ["shoe", "boot", "hat"]
    assert json.loads(run("status").out)["weights"] == "fashion-1"
    prices = feed_of(old, tmp_path, shoe=11.0, boot=20.0)
    synced = run("sync", str(prices), "--allow-mass-removal")
    counts = json.loads(synced.out)
    assert (synced.code, counts["updated"], counts["removed"], counts["embedded"]) == (0, 2, 1, 0)
    assert run("snapshot", "create").code == 0
    assert run("verify").code == 0
    assert run("remove", "boot").code == 0
    added = run("add", str(old.photos / "boot-0.png"))
    (rejection,) = json.loads(added.out)["rejections"]
    assert added.code == 3
    assert DIFFERENCE in rejection["reason"]
    assert "`rebuild --re-embed`" in rejection["reason"]

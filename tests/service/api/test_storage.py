"""What the service answers while its disk is full or cannot be written."""

import base64
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.conftest import Store, png
from tests.mounts import fill, read_only, small_disk
from tests.processes import wait_for
from tests.service.conftest import serving
from tests.service.metrics import named, samples


def put(client: FlaskClient, product_id: str, colour: object) -> tuple[int, str]:
    """Status of the answer, and its code or outcome."""
    photo = base64.b64encode(png(colour)).decode()
    answer = client.put(f"/v1/products/{product_id}", json={"images": [photo]})
    assert answer.json is not None
    return answer.status_code, answer.json.get("code") or answer.json["outcome"]


def bulk(client: FlaskClient, *product_ids: str) -> list[str]:
    """The outcomes, or the codes, of putting the products in one request."""
    photo = base64.b64encode(png("navy")).decode()
    operations = [{"op": "put", "product_id": name, "images": [photo]} for name in product_ids]
    answer = client.post("/v1/products/bulk", json=operations)
    assert answer.status_code == 200
    assert answer.json is not None
    return [row.get("code", row["outcome"]) for row in answer.json["results"]]


def failures(client: FlaskClient, reason: str) -> float:
    """How many changes and events could not be stored for this reason."""
    told = samples(client.get("/metrics").text)
    return told[named("storage_failures_total", reason=reason)]


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What requests logged as errors; a recorder of searches may log beside them."""
    return [
        record.message
        for record in caplog.records
        if record.levelno >= logging.ERROR and not record.name.startswith("indexer.events")
    ]


@contextmanager
def served_small_disk(folder: Path) -> Iterator[tuple[FlaskClient, Path]]:
    """A service of two products on a disk of its own."""
    with small_disk(folder, 4 << 20) as disk:
        store = Store(disk)
        store.add(store.row("shoe", "red"), store.row("boot", "crimson"))
        with serving(disk / "data") as client:
            yield client, disk
        store.catalog.close()


@contextmanager
def served_read_only(store: Store, place: Path) -> Iterator[FlaskClient]:
    store.add(store.row("shoe", "red"), store.row("boot", "crimson"))
    store.catalog.close()
    with read_only(store.catalog.folder.parent, place) as data_dir, serving(data_dir) as client:
        yield client


def found(client: FlaskClient, product_id: str) -> list[str]:
    answer = client.get(f"/v1/products/{product_id}/similar")
    assert answer.json is not None
    return [result["product_id"] for result in answer.json["results"]]


def test_on_a_full_disk_changes_are_refused_as_such_and_searches_go_on(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 4 << 20) as disk:
        store = Store(disk)
        store.add(store.row("shoe", "red"), store.row("boot", "crimson"))
        with serving(disk / "data") as client:
            ballast = fill(disk)
            assert put(client, "hat", "navy") == (507, "disk_full")
            assert found(client, "shoe") == ["boot"]
            assert client.get("/readyz").status_code == 200
            ballast.unlink()
            assert put(client, "hat", "navy") == (201, "added")
        store.catalog.close()


def test_on_a_read_only_disk_changes_are_refused_as_such_and_searches_go_on(
    store: Store, tmp_path: Path
) -> None:
    with served_read_only(store, tmp_path / "place") as client:
        assert client.get("/readyz").status_code == 200
        assert put(client, "hat", "navy") == (503, "read_only")
        assert found(client, "shoe") == ["boot"]
        writing = Store.reopened(store)
        writing.add(writing.row("hat", "navy"))
        assert found(client, "shoe") == ["boot", "hat"]
        writing.catalog.close()
        assert found(client, "shoe") == ["boot", "hat"]


def test_on_a_read_only_disk_the_first_judgement_is_refused_as_such(
    store: Store, tmp_path: Path
) -> None:
    body = {"rater": "ab", "query_product_id": "shoe", "product_id": "boot", "grade": "match"}
    with served_read_only(store, tmp_path / "place") as client:
        answer = client.post("/v1/ratings", json=body)
    assert answer.json is not None
    assert (answer.status_code, answer.json["code"]) == (503, "read_only")


def test_bulk_changes_that_a_full_disk_refuses_are_logged_once_and_counted_each(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with served_small_disk(tmp_path / "disk") as (client, disk):
        fill(disk)
        before = failures(client, "disk_full")
        assert bulk(client, "hat", "cap", "bonnet") == ["disk_full"] * 3
        assert failures(client, "disk_full") == before + 3
        (line,) = errors(caplog)
        assert line.startswith("disk_full: ")
        assert "3 operations" in line
        assert put(client, "hat", "navy") == (507, "disk_full")
        assert failures(client, "disk_full") == before + 4


def test_bulk_changes_that_a_read_only_disk_refuses_are_logged_and_counted(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with served_read_only(store, tmp_path / "place") as client:
        before = failures(client, "read_only")
        assert bulk(client, "hat") == ["read_only"]
        assert failures(client, "read_only") == before + 1
        assert [line[:9] for line in errors(caplog)] == ["read_only"]


def test_events_that_a_full_disk_refuses_are_answered_as_such_and_counted(
    tmp_path: Path,
) -> None:
    with served_small_disk(tmp_path / "disk") as (client, disk):
        shown = client.get("/v1/products/shoe/similar").get_json()["query_id"]
        wait_for((disk / "data" / "events.db-wal").is_file, "recording")
        event = {"query_id": shown, "product_id": "boot", "action": "click"}
        assert client.post("/v1/events", json=event).status_code == 204
        ballast = fill(disk)
        before = failures(client, "disk_full")
        answer = client.post("/v1/events", json={**event, "action": "cart"})
        assert (answer.status_code, answer.get_json()["code"]) == (507, "disk_full")
        assert failures(client, "disk_full") == before + 1
        ballast.unlink()
        assert client.post("/v1/events", json={**event, "action": "cart"}).status_code == 204


def test_a_photo_that_a_full_disk_refuses_leaves_no_file(tmp_path: Path) -> None:
    with served_small_disk(tmp_path / "disk") as (client, disk):
        fill(disk)
        assert put(client, "hat", "navy") == (507, "disk_full")
        left = (disk / "data" / "default" / "photos").rglob("*")
        assert [path.name for path in left if path.is_file()] == []


def test_on_a_read_only_disk_there_is_no_word_of_no_searches(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store.add(store.row("shoe", "red"), store.row("boot", "crimson"))
    store.catalog.close()
    with serving(store.catalog.folder.parent) as client:
        found(client, "shoe")
        wait_for((store.catalog.folder.parent / "events.db-wal").is_file, "recording")
    with (
        read_only(store.catalog.folder.parent, tmp_path / "place") as place,
        serving(place) as client,
    ):
        found(client, "shoe")
        wait_for(lambda: "searches are not recorded" in caplog.text, "logging", seconds=5)
        client.application.extensions["events"].stop()
        assert "0 searches" not in caplog.text

"""Changes beside another writer, and beside each other."""

import threading

import pytest
from flask.testing import FlaskClient

from indexer.ingest import editing
from tests.conftest import Store
from tests.service.api.changes.conftest import bulk, put, stored


def test_while_another_process_writes_the_answer_is_locked(
    client: FlaskClient, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(editing, "WAIT_S", 0.1)
    with store.catalog.writer():
        bad = client.put("/v1/products/a", json={"images": ["aGVsbG8="]})
        refused = put(client, "a", "red")
        rows = bulk(client, *({"op": "delete", "product_id": str(n)} for n in range(70)))["results"]
    assert (refused.status_code, refused.json["code"]) == (503, "locked")
    assert int(refused.headers["Retry-After"]) > 0
    assert bad.status_code == 415  # needs no lock to be told
    assert {row["code"] for row in rows} == {"locked"}
    assert put(client, "a", "red").status_code == 201


def test_a_change_waits_for_a_writer_that_is_done_soon(client: FlaskClient, store: Store) -> None:
    holding, done = threading.Event(), threading.Event()

    def hold() -> None:
        with store.catalog.writer():
            holding.set()
            done.wait(0.3)

    thread = threading.Thread(target=hold)
    thread.start()
    holding.wait()
    assert put(client, "a", "red").status_code == 201
    thread.join()


def test_requests_at_the_same_time_are_all_stored(client: FlaskClient, store: Store) -> None:
    codes: list[int] = []
    app = client.application

    def work(number: int) -> None:
        own = app.test_client()
        codes.extend(put(own, f"{number}-{i}", "red", n=i).status_code for i in range(5))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [201] * 20
    assert len(stored(store)) == 20

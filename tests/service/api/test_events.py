"""What shoppers did with results, over HTTP, and that recording it costs searches nothing."""

import json
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from flask.testing import FlaskClient

from indexer.access.keys import Keys
from indexer.config import AccessSettings, EventsSettings
from indexer.events import EventStore, Recorder
from indexer.events.ids import QueryIds
from tests.conftest import Store, png
from tests.processes import gunicorn, multipart, upload, wait_for
from tests.service.conftest import serving

QUERY = "9a0b2c4d6e8f40718293a4b5c6d7e8f9"  # of no answer


UNLIMITED = AccessSettings()


@contextmanager
def recording(
    store: Store, access: AccessSettings = UNLIMITED, **events: Any
) -> Iterator[FlaskClient]:
    folder = store.catalog.folder.parent
    with serving(folder, access=access, events=EventsSettings(**events)) as client:
        try:
            yield client
        finally:
            if recorder := recorder_of(client.application):
                recorder.stop()


def recorder_of(app: Any) -> Recorder | None:
    recorder: Recorder | None = app.extensions["events"]
    return recorder


@pytest.fixture
def client(store: Store) -> Iterator[FlaskClient]:
    store.add(store.row("red", "red"), store.row("navy", "navy"), store.row("green", "green"))
    with recording(store) as client:
        yield client


def rows(store: Store, table: str) -> list[tuple[Any, ...]]:
    path = EventStore(store.catalog.folder.parent).path
    if not path.is_file():
        return []
    with closing(sqlite3.connect(path)) as connection:
        try:
            return connection.execute(f"SELECT * FROM {table}").fetchall()
        except sqlite3.OperationalError:  # it is just being made
            return []


def search(client: FlaskClient, **fields: object) -> Any:
    body, content_type = multipart(png("red"), **fields)
    answer = client.post("/v1/search", data=body, content_type=content_type)
    assert answer.status_code == 200
    return answer.json


@pytest.fixture
def shown(client: FlaskClient) -> str:
    """The id of an answer that has all three products."""
    return str(search(client)["query_id"])


def event(query_id: object = QUERY, **changes: object) -> dict[str, object]:
    return {"query_id": query_id, "product_id": "red", "action": "click", **changes}


def refused(client: FlaskClient, body: object) -> tuple[int, str]:
    answer = client.post("/v1/events", json=body)
    assert answer.json is not None
    return answer.status_code, answer.json["code"]


def test_what_a_search_showed_is_recorded_within_a_second_and_nothing_of_who_searched(
    client: FlaskClient, store: Store
) -> None:
    answer = search(client, limit=2, offset=1)
    wait_for(lambda: rows(store, "queries"), "recording", seconds=1)
    ((query_id, collection, _, kind, first_rank, best, shown, scores),) = rows(store, "queries")
    assert (query_id, collection, kind, first_rank) == (answer["query_id"], "default", "photo", 2)
    assert json.loads(shown) == [result["product_id"] for result in answer["results"]]
    expected = [result["score"] for result in answer["results"]]
    assert json.loads(scores) == pytest.approx(expected, abs=1e-4)
    assert best == pytest.approx(answer["results"][0]["score"], abs=1e-4)


def test_a_search_by_product_is_recorded_as_one(client: FlaskClient, store: Store) -> None:
    client.get("/v1/products/red/similar")
    wait_for(lambda: rows(store, "queries"), "recording", seconds=1)
    assert rows(store, "queries")[0][3] == "product"


@pytest.mark.parametrize("action", ["click", "cart", "purchase", "dismiss"])
def test_an_event_is_stored_when_answered_and_counts_once(
    client: FlaskClient, store: Store, shown: str, action: str
) -> None:
    for _ in range(2):  # as clients do that heard no answer
        answer = client.post("/v1/events", json=event(shown, action=action))
        assert (answer.status_code, answer.data) == (204, b"")
    assert [row[:3] for row in rows(store, "events")] == [(shown, "red", action)]


def test_a_query_id_that_no_answer_had_is_refused(
    client: FlaskClient, store: Store, shown: str
) -> None:
    forged = shown[:-1] + ("0" if shown[-1] != "0" else "1")
    for query_id in (QUERY, forged):
        assert refused(client, event(query_id)) == (404, "unknown_query")
    mixed = {"events": [event(shown), event(forged)]}
    assert refused(client, mixed) == (404, "unknown_query")
    assert rows(store, "events") == []


def test_a_query_id_is_known_to_other_processes_and_after_a_restart(store: Store) -> None:
    store.add(store.row("red", "red"))
    with recording(store) as one, recording(store) as other:
        query_id = search(one)["query_id"]
        assert other.post("/v1/events", json=event(query_id)).status_code == 204
    with recording(store) as restarted:
        body = event(query_id, action="cart")
        assert restarted.post("/v1/events", json=body).status_code == 204
    assert len(rows(store, "events")) == 2


def test_a_query_of_which_nothing_is_kept_any_more_is_unknown(
    client: FlaskClient, store: Store
) -> None:
    ids = QueryIds(store.catalog.folder.parent)
    now, day = int(time.time()), 86_400
    assert refused(client, event(ids.new(now - 91 * day))) == (404, "unknown_query")
    assert client.post("/v1/events", json=event(ids.new(now - 89 * day))).status_code == 204


def test_made_up_products_are_left_out(client: FlaskClient, store: Store, shown: str) -> None:
    wait_for(lambda: rows(store, "queries"), "recording", seconds=5)
    made_up = [event(shown, product_id=f"{number:0512}") for number in range(1000)]
    body = {"events": [event(shown), *made_up[1:]]}
    assert client.post("/v1/events", json=body).status_code == 204
    assert [row[1] for row in rows(store, "events")] == ["red"]


def test_a_query_that_is_not_written_yet_takes_so_many_events_as_a_page_can_have(
    client: FlaskClient, store: Store
) -> None:
    unwritten = QueryIds(store.catalog.folder.parent).new(int(time.time()))
    for first in (0, 1000):
        made_up = [event(unwritten, product_id=str(first + number)) for number in range(1000)]
        assert client.post("/v1/events", json={"events": made_up}).status_code == 204
    assert len(rows(store, "events")) == 200 * 4


def test_events_and_not_requests_count_for_the_limits(store: Store) -> None:
    store.add(store.row("red", "red"))
    keys = Keys(store.catalog.folder.parent)
    query_id = QueryIds(store.catalog.folder.parent).new(int(time.time()))

    def send(client: FlaskClient, count: int) -> Any:
        headers = {"Authorization": f"Bearer {key}"}
        body = {"events": [event(query_id)] * count}
        return client.post("/v1/events", json=body, headers=headers)

    for limit in ("rate_limit_per_key", "rate_limit_per_address"):
        _, key = keys.create(["events"], limit)
        access = AccessSettings.model_validate({limit: "10/hour"})
        with recording(store, access) as client:
            assert [send(client, count).status_code for count in (6, 5)] == [204, 429]
        with recording(store, access) as client:
            assert send(client, 10).status_code == 204
            assert send(client, 1).headers["Retry-After"]
        with recording(store, access) as client:
            assert [send(client, count).status_code for count in (1000, 1)] == [204, 429]


def test_events_come_in_batches_too_and_all_are_stored_or_none(
    client: FlaskClient, store: Store, shown: str
) -> None:
    good = [event(shown, product_id=name) for name in ("red", "navy", "green")]
    answer = client.post("/v1/events", json={"events": [*good, event(shown, action="look")]})
    assert answer.json is not None
    assert (answer.status_code, answer.json["code"]) == (400, "bad_parameter")
    assert answer.json["detail"].startswith("events[3].action: received 'look'")
    assert rows(store, "events") == []
    assert client.post("/v1/events", json={"events": good}).status_code == 204
    assert len(rows(store, "events")) == 3


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        event(query_id="x"),
        event(product_id=""),
        event(product_id=7),
        event(address="1.2.3.4"),
        {"events": []},
        {"events": [event()] * 1001},
    ],
)
def test_what_is_no_event_is_refused(client: FlaskClient, store: Store, body: object) -> None:
    answer = client.post("/v1/events", json=body)
    assert (answer.status_code, answer.json and answer.json["code"]) == (400, "bad_parameter")
    assert rows(store, "events") == []


def test_events_take_json_only(client: FlaskClient) -> None:
    body = json.dumps(event())
    assert client.post("/v1/events", data=body, content_type="text/plain").status_code == 415
    broken = client.post("/v1/events", data=body[:-1], content_type="application/json")
    assert (broken.status_code, broken.json and broken.json["code"]) == (400, "bad_request")


def test_once_there_are_keys_events_take_one_of_their_scope(
    client: FlaskClient, store: Store, shown: str
) -> None:
    keys = Keys(store.catalog.folder.parent)

    def code(text: str) -> int:
        headers = {"Authorization": f"Bearer {text}"}
        return client.post("/v1/events", json=event(shown), headers=headers).status_code

    assert code(keys.create(["events"], "")[1]) == 204
    assert code(keys.create(["search"], "")[1]) == 403
    assert client.post("/v1/events", json=event()).status_code == 401


def test_if_nothing_is_kept_nothing_is_recorded(store: Store) -> None:
    store.add(store.row("red", "red"))
    with recording(store, keep_days=0) as client:
        search(client)
        assert client.post("/v1/events", json=event()).status_code == 204
    assert not EventStore(store.catalog.folder.parent).path.exists()


def test_a_search_does_not_fail_because_it_cannot_be_recorded(
    client: FlaskClient, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    path = EventStore(store.catalog.folder.parent).path
    path.mkdir()  # nothing can be stored in a folder
    shown = search(client)["query_id"]
    wait_for(lambda: "not recorded" in caplog.text, "logging", seconds=5)
    assert refused(client, event(shown)) == (503, "events_failed")
    search(client)
    shutil.rmtree(path)
    assert client.post("/v1/events", json=event(shown)).status_code == 204


def test_a_search_does_not_fail_because_its_id_cannot_be_signed(
    client: FlaskClient, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    path = store.catalog.folder.parent / "events.key"
    path.mkdir()
    shown = search(client)["query_id"]
    wait_for(lambda: "events.key" in caplog.text, "logging", seconds=5)
    assert refused(client, event(shown)) == (503, "events_failed")
    path.rmdir()
    assert refused(client, event(shown)) == (404, "unknown_query")
    shown = search(client)["query_id"]
    assert client.post("/v1/events", json=event(shown)).status_code == 204


def test_what_was_searched_just_before_the_service_ends_is_recorded(store: Store) -> None:
    store.add(store.row("red", "red"))
    data_dir = store.catalog.folder.parent
    with gunicorn(data_dir, store.photos.parent / "log", "tests.processes:fake_app()") as service:
        shown = upload(service.url, png("red")).json["query_id"]
    assert rows(store, "queries")[0][0] == shown

"""The numbers that operators see of the service."""

import json
import signal
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient

from indexer.maintenance.neighbours import bring_up_to_date
from indexer.store.embedded.neighbours import table_path
from tests.conftest import Store, png
from tests.fakes import FAKE_SPEC
from tests.processes import FAKE, ask, gunicorn, wait_for
from tests.service.conftest import rows, serving
from tests.service.metrics import named, samples
from tests.service.queries import upload


def test_requests_stages_and_known_photos_are_counted(client: FlaskClient) -> None:
    before = samples(client.get("/metrics").text)
    for _ in range(2):
        assert upload(client, png((1, 2, 3))).status_code == 200
    assert upload(client, b"no photo").status_code == 415
    after = samples(client.get("/metrics").text)
    risen = {key: value - before.get(key, 0) for key, value in after.items()}
    assert risen[named("requests_total", endpoint="search", status="200")] == 2
    assert risen[named("requests_total", endpoint="search", status="415")] == 1
    assert risen[named("request_seconds_count", endpoint="search")] == 3
    for stage in ("decode", "queue", "embed", "search"):
        assert risen[named("stage_seconds_count", stage=stage)] == 2
    assert risen[named("embedding_cache_total", result="miss")] == 2
    assert risen[named("embedding_cache_total", result="hit")] == 1
    assert after[named("in_flight")] == 0


def test_the_view_and_the_model_are_told(client: FlaskClient) -> None:
    state = client.get("/readyz").get_json()["collections"][0]
    told = samples(client.get("/metrics").text)
    assert told[named("view_seq", collection="default")] == state["seq"]
    images = [
        told[named("view_images", collection="default", part=part)]
        for part in ("segment", "added", "gone")
    ]
    assert images == [0, 9, 0]
    assert told[named("view_current_timestamp_seconds", collection="default")] > 0
    of_the_model = {
        "collection": "default",
        "fingerprint": FAKE_SPEC.fingerprint,
        "weights": "fake",
        "runs_on": "nothing",
    }
    assert told[named("model_info", **of_the_model)] == 1


def test_the_state_of_the_table_of_similar_products_is_told(shop: Store) -> None:
    path = table_path(shop.catalog.folder)

    def told() -> list[float]:
        with serving(shop.catalog.folder.parent) as client:
            found = samples(client.get("/metrics").text)
        return [
            found[named("neighbours", collection="default", state=state)]
            for state in ("used", "unused")
        ]

    assert told() == [0, 0]
    bring_up_to_date(shop.catalog, 3, lambda _: None)
    assert told() == [1, 0]
    path.write_bytes(path.read_bytes()[:-1])
    assert told() == [0, 1]


def test_paths_and_methods_that_clients_invent_make_no_new_series(client: FlaskClient) -> None:
    client.get("/nothing")
    before = len(samples(client.get("/metrics").text))
    for number in range(20):
        client.get(f"/nothing/{number}")
        client.get(f"/v1/products/none-{number}")
        client.open("/nothing", method=f"M{number}")
    assert len(samples(client.get("/metrics").text)) < before + 40


def requests_in(log: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return [line for line in lines if line["logger"] == "service.requests"]


def test_several_workers_count_together_and_log_json_and_say_that_they_stop(
    store: Store, tmp_path: Path
) -> None:
    store.add(*rows(store))
    settings = {"IMAGE_SEARCH_SERVICE_WORKERS": "2", "IMAGE_SEARCH_SERVICE_DRAIN_S": "3"}
    with gunicorn(store.catalog.folder.parent, tmp_path / "log", FAKE, settings) as service:
        sent = 0
        while len({line["process"] for line in requests_in(service.log)}) < 2:
            # One of the two may still load its model when the other is ready.
            sent += ask(service.url, "/v1/products/red/similar").status == 200
            assert sent < 10_000
        told = samples(ask(service.url, "/metrics").body.decode())
        assert told[named("requests_total", endpoint="similar", status="200")] == sent
        assert told[named("view_seq", collection="default")] > 0
        service.process.send_signal(signal.SIGTERM)
        wait_for(lambda: ask(service.url, "/readyz").status == 503, "readiness dropping", 2)
        assert ask(service.url, "/readyz").json["status"] == "stopping"
        assert ask(service.url, "/v1/products/red/similar").status == 200
        assert service.process.wait(timeout=20) == 0
    assert all(
        line["request_id"] and line["took_ms"]["search"] > 0
        for line in requests_in(service.log)
        if line["status"] == 200
    )

"""What operators see of the service: numbers, lines and ids."""

import json
import logging
import signal
import socket
import subprocess
import threading
import warnings
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from indexer.access.keys import Keys
from tests.conftest import Store, png
from tests.fakes import FAKE_SPEC
from tests.processes import FAKE, ask, fake_app, gunicorn, start, wait_for
from tests.service.conftest import rows
from tests.service.test_api import upload

Sample = tuple[str, frozenset[tuple[str, str]]]


def samples(text: str) -> dict[Sample, float]:
    """Every value by its name and labels."""
    return {
        (sample.name.removeprefix("image_search_"), frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def named(name: str, **labels: str) -> Sample:
    return name, frozenset(labels.items())


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


def test_the_view_and_the_network_are_told(client: FlaskClient) -> None:
    state = client.get("/readyz").get_json()["collections"][0]
    told = samples(client.get("/metrics").text)
    assert told[named("view_seq", collection="default")] == state["seq"]
    images = [
        told[named("view_images", collection="default", part=part)]
        for part in ("segment", "added", "gone")
    ]
    assert images == [0, 9, 0]
    assert told[named("view_current_timestamp_seconds", collection="default")] > 0
    of_the_network = {
        "collection": "default",
        "fingerprint": FAKE_SPEC.fingerprint,
        "weights": "fake",
        "runs_on": "nothing",
    }
    assert told[named("model_info", **of_the_network)] == 1


def test_paths_and_methods_that_clients_invent_make_no_new_series(client: FlaskClient) -> None:
    client.get("/nothing")
    before = len(samples(client.get("/metrics").text))
    for number in range(20):
        client.get(f"/nothing/{number}")
        client.get(f"/v1/products/none-{number}")
        client.open("/nothing", method=f"M{number}")
    assert len(samples(client.get("/metrics").text)) < before + 40


def test_an_id_that_is_sent_comes_back_and_is_in_the_log(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    answer = client.get("/v1/products/red/similar", headers={"X-Request-ID": "order:1/2"})
    assert answer.headers["X-Request-ID"] == "order:1/2"
    line = next(record for record in caplog.records if record.name == "service.requests")
    fields = vars(line)
    assert fields["request_id"] == "order:1/2"
    assert (fields["method"], fields["status"]) == ("GET", 200)
    assert fields["query_id"] == answer.get_json()["query_id"]


@pytest.mark.parametrize("sent", ["", "two words", "a" * 129, "Ünicode", 'quo"te'])
def test_an_id_that_might_break_a_log_is_replaced(client: FlaskClient, sent: str) -> None:
    received = client.get("/healthz", headers={"X-Request-ID": sent}).headers["X-Request-ID"]
    assert received != sent
    assert len(received) == 32


def test_every_request_has_an_id_of_its_own(client: FlaskClient) -> None:
    ids = {client.get(path).headers["X-Request-ID"] for path in ("/healthz", "/nothing", "/")}
    assert len(ids) == 3


def warning_app() -> Flask:
    """The service, where something warns, logs and dies in a thread as it starts."""
    warnings.warn("this is deprecated", stacklevel=1)
    logging.getLogger("a.library").info("this is only information")
    thread = threading.Thread(target=lambda: 1 // 0)
    thread.start()
    thread.join()
    return fake_app()


@pytest.mark.parametrize("form", ["json", "text"])
def test_every_line_of_the_log_has_the_format_and_at_least_the_level_of_the_settings(
    tmp_path: Path, form: str
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    settings = {
        "IMAGE_SEARCH_SERVICE_PORT": str(port),
        "IMAGE_SEARCH_SERVICE_LOG_FORMAT": form,
        "IMAGE_SEARCH_SERVICE_LOG_LEVEL": "warning",
    }
    app = "tests.service.test_observability:warning_app()"
    command = ["-m", "gunicorn", "--config", "service/gunicorn.conf.py", app]
    process = start(*command, data_dir=tmp_path, settings=settings, stderr=subprocess.PIPE)
    try:
        wait_for(lambda: answers(f"http://127.0.0.1:{port}"), "answering", 180)
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(b"nonsense\r\n\r\n")
            assert connection.recv(1000)
    finally:
        process.terminate()
    _, log = process.communicate(timeout=120)
    lines = log.decode().splitlines()
    levels = [
        str(json.loads(line)["level"]) if form == "json" else line.split()[2]
        for line in lines
        if form == "json" or line[:2] == "20"
    ]
    assert set(levels) == {"WARNING", "ERROR"}
    for told in ("this is deprecated", "ZeroDivisionError", "Invalid request"):
        assert told in log.decode()


def answers(url: str) -> bool:
    try:
        return ask(url, "/healthz").status == 200
    except OSError:
        return False


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


def failing_app() -> Flask:
    """The service, with a path whose fault has lines of a log in its text."""
    app = fake_app()

    @app.get("/fails")
    def fails() -> str:
        raise RuntimeError("fault\n2026-01-01 00:00:00 ERROR forged\x1b[2J")

    return app


def test_no_request_writes_a_line_of_its_own_into_the_text_log(
    store: Store, tmp_path: Path
) -> None:
    store.add(*rows(store))
    breaks = ("%0a", "%0d", "%0d%0a", "%1b%5b2J", "%0b", "%0c", "%C2%85", "%E2%80%A8", "%E2%80%A9")
    _, key = Keys(store.catalog.folder.parent).create(["admin"], "test")
    with gunicorn(
        store.catalog.folder.parent,
        tmp_path / "log",
        "tests.service.test_observability:failing_app()",
        {"IMAGE_SEARCH_SERVICE_LOG_FORMAT": "text"},
    ) as service:
        for number, sent in enumerate(breaks):
            ask(service.url, f"/x{sent}2026-01-01%20ERROR%20forged-{number}")
        ask(service.url, "/fails", headers={"Authorization": f"Bearer {key}"})
        wait_for(lambda: "RuntimeError" in service.log.read_text(), "the fault in the log", 10)
    text = service.log.read_bytes().decode()
    lines = text.splitlines()  # at every line break that Unicode has
    assert "\x1b" not in text
    assert not [line for line in lines if line.startswith("2026-01-01")]
    for number in range(len(breaks)):
        assert any(f"forged-{number}" in line and " GET /x" in line for line in lines)
    at = next(n for n, line in enumerate(lines) if "RuntimeError" in line and "fault" in line)
    assert lines[at].startswith("  ")
    assert "Traceback (most recent call last):" in text

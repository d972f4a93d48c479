"""The lines of the log, and the ids of requests."""

import json
import logging
import socket
import subprocess
import threading
import warnings
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from indexer.access.keys import Keys
from tests.conftest import Store
from tests.processes import ask, fake_app, gunicorn, start, wait_for
from tests.service.conftest import rows


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
    app = "tests.service.http.test_logs:warning_app()"
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
        "tests.service.http.test_logs:failing_app()",
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

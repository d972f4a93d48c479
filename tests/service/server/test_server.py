"""A real server, gunicorn, under what a shop would rather not send it."""

import base64
import json
import socket
from pathlib import Path

import pytest

from tests.bad_files import ODD_FILES, OddFile
from tests.conftest import png
from tests.processes import FAKE, Service, address_of, ask, gunicorn, upload
from tests.service.conftest import MOST_BYTES


@pytest.mark.parametrize("odd", ODD_FILES, ids=lambda odd: odd.name)
def test_a_photo_is_accepted_or_refused_with_its_own_code_by_a_real_server(
    gunicorn_service: Service, odd: OddFile
) -> None:
    reply = upload(gunicorn_service.url, odd.data)
    received = None if reply.status == 200 else reply.json["code"]
    assert received == odd.expected
    assert reply.status in (200, 400, 413, 415)


def chunks(size: int) -> list[bytes]:
    return [bytes(65_536)] * (size // 65_536 + 1)


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(
    ("size", "content_type", "status", "code"),
    [
        (MOST_BYTES + 1, "application/json", 413, "request_too_large"),
        (MOST_BYTES + 1, "multipart/form-data; boundary=b", 413, "request_too_large"),
        (10_000_000, "image/jpeg", 415, "unsupported_media_type"),
    ],
)
def test_the_sender_of_a_large_body_hears_why_it_is_refused(
    gunicorn_service: Service,
    chunked: bool,
    size: int,
    content_type: str,
    status: int,
    code: str,
) -> None:
    reply = ask(
        gunicorn_service.url,
        "/v1/search",
        method="POST",
        body=chunks(size) if chunked else bytes(size),
        headers={"Content-Type": content_type},
    )
    assert (reply.status, reply.json["code"]) == (status, code)


def test_chunks_that_are_none_are_a_bad_request(gunicorn_service: Service) -> None:
    with socket.create_connection(address_of(gunicorn_service.url), timeout=20) as connection:
        head = "POST /v1/search HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\nZZ\r\n{{}}\r\n".encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 400 ")


def test_a_chunked_body_within_the_limit_is_taken(gunicorn_service: Service) -> None:
    encoded = base64.b64encode(png("red")).decode()
    body = json.dumps({"image_base64": encoded}).encode()
    reply = ask(
        gunicorn_service.url,
        "/v1/search",
        method="POST",
        body=[body[:100], body[100:]],
        headers={"Content-Type": "application/json"},
    )
    assert reply.status == 200


@pytest.mark.parametrize("length", [512, 600])
def test_the_longest_ids_fit_into_a_url(gunicorn_service: Service, length: int) -> None:
    reply = ask(gunicorn_service.url, f"/v1/products/{'%F0%9F%91%9F' * length}/similar?limit=200")
    assert (reply.status, reply.json["code"]) == (404, "unknown_product")


@pytest.mark.parametrize("name", ["SCRIPT_NAME", "PATH_INFO"])
def test_no_header_makes_a_request_one_for_elsewhere(gunicorn_service: Service, name: str) -> None:
    reply = ask(gunicorn_service.url, "/healthz", headers={name: "/elsewhere"})
    assert (reply.status, reply.json) == (200, {"status": "ok"})


def test_a_client_that_stops_sending_is_told_so_and_holds_nobody_up(tmp_path: Path) -> None:
    settings = {"IMAGE_SEARCH_SERVICE_UPLOAD_TIMEOUT_S": "0.2"}
    with (
        gunicorn(tmp_path / "data", tmp_path / "log", FAKE, settings) as service,
        socket.create_connection(address_of(service.url), timeout=20) as connection,
    ):
        head = "POST /v1/search HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        connection.sendall(f"{head}Content-Length: 1000\r\n\r\n{{".encode())
        answer = connection.recv(1000)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert "malformed or incomplete" not in service.log.read_text()  # no fault of ours
        assert upload(service.url, png("red")).status == 200


def test_requests_that_are_sent_without_waiting_are_answered_in_turn(
    gunicorn_service: Service,
) -> None:
    with socket.create_connection(address_of(gunicorn_service.url), timeout=20) as connection:
        request = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
        last = request.replace(b"Host", b"Connection: close\r\nHost")
        connection.sendall(3 * request + last)
        received = b""
        while piece := connection.recv(65_536):
            received += piece
    assert received.count(b"HTTP/1.1 200 ") == 4


def test_no_request_of_this_module_killed_a_worker_or_was_logged_as_a_fault(
    gunicorn_service: Service,
) -> None:
    log = gunicorn_service.log.read_text()
    assert log.count("Booting worker") == 1
    assert "Traceback" not in log
    assert ask(gunicorn_service.url, "/readyz").status == 200

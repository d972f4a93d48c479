"""Bodies that do not come, answers that are not read: what a real server does about them."""

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from PIL import Image

from indexer.access.keys import Keys
from tests.conftest import Store, png
from tests.processes import FAKE, Service, address_of, ask, gunicorn, multipart
from tests.service.conftest import MOST_BYTES

STALLED_S = 3.0
NO_KEY = "X-Key: none"


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, str]]:
    """A service that takes keys, and the line of a head with one."""
    folder = tmp_path_factory.mktemp("connections")
    store = Store(folder / "store")
    row = store.row("red", "red")
    # 12 MB, more than the buffers of a connection take.
    Image.effect_noise((3464, 3464), 90).save(store.photos / "red-0.png", compress_level=0)
    store.add(row)
    store.catalog.close()
    data_dir = store.catalog.folder.parent
    _, key = Keys(data_dir).create(["admin"], "test")
    settings = {"IMAGE_SEARCH_SERVICE_UPLOAD_TIMEOUT_S": str(STALLED_S)}
    with gunicorn(data_dir, folder / "log", FAKE, settings) as service:
        yield service, f"Authorization: Bearer {key}"


def connected(service: Service) -> socket.socket:
    return socket.create_connection(address_of(service.url), timeout=60)


def head(*lines: str, target: str = "/v1/search") -> bytes:
    start = (f"POST {target} HTTP/1.1", "Host: a", "Content-Type: application/json")
    return "\r\n".join([*start, *lines, "", ""]).encode()


def answer(connection: socket.socket) -> bytes:
    """All that comes until the server is done."""
    received = b""
    while piece := connection.recv(65_536):
        received += piece
    return received


@pytest.mark.parametrize("expect", [(), ("Expect: 100-continue",)], ids=["", "expect"])
@pytest.mark.parametrize(
    ("line", "length", "status", "code"),
    [
        (NO_KEY, 1000, 401, "unauthorized"),
        ("Authorization: Bearer wrong", 1000, 401, "unauthorized"),
        ("", MOST_BYTES + 1, 413, "request_too_large"),
        ("", 10**18, 413, "request_too_large"),
    ],
)
def test_what_is_wrong_with_a_head_is_answered_before_the_body_is_sent(
    keyed: tuple[Service, str],
    line: str,
    length: int,
    status: int,
    code: str,
    expect: tuple[str, ...],
) -> None:
    service, key = keyed
    with connected(service) as connection:
        connection.sendall(head(line or key, f"Content-Length: {length}", *expect))
        received = answer(connection)
    assert received.startswith(f"HTTP/1.1 {status} ".encode())
    assert json.loads(received.partition(b"\r\n\r\n")[2])["code"] == code


@pytest.mark.parametrize("target", ["/nothing", "/healthz"])
def test_a_body_that_nobody_takes_is_not_waited_for(
    keyed: tuple[Service, str], target: str
) -> None:
    with connected(keyed[0]) as connection:
        connection.sendall(head("Content-Length: 1000", target=target))
        assert answer(connection).startswith((b"HTTP/1.1 404 ", b"HTTP/1.1 405 "))


def test_a_client_that_expects_it_is_told_once_to_continue(keyed: tuple[Service, str]) -> None:
    service, key = keyed
    body = json.dumps({"product_id": "red"}).encode()
    with connected(service) as connection:
        lines = ("Expect: 100-continue", "Connection: close", f"Content-Length: {len(body)}")
        connection.sendall(head(key, *lines))
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert answer(connection).startswith(b"HTTP/1.1 200 ")


def test_a_connection_goes_on_after_bodies_with_a_length_and_in_chunks(
    keyed: tuple[Service, str],
) -> None:
    service, key = keyed
    body = json.dumps({"product_id": "red"}).encode()
    chunked = b"".join(
        b"%x\r\n%b\r\n" % (len(body[at : at + 5]), body[at : at + 5])
        for at in range(0, len(body), 5)
    )
    request = head(key, f"Content-Length: {len(body)}") + body
    request += head(key, "Transfer-Encoding: chunked") + chunked + b"0\r\nX-Trailer: a\r\n\r\n"
    request += head(key, "Connection: close", f"Content-Length: {len(body)}") + body
    with connected(service) as connection:
        for at in range(0, len(request), 50):
            connection.sendall(request[at : at + 50])
        assert answer(connection).count(b"HTTP/1.1 200 ") == 3


@pytest.mark.parametrize("announced", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/healthz"),
        ("GET", "/v1/products/red/similar"),
        ("DELETE", "/v1/products/red"),
        ("OPTIONS", "/v1/search"),
    ],
)
def test_a_body_of_a_method_that_has_none_is_refused_unread(
    keyed: tuple[Service, str], method: str, target: str, announced: str
) -> None:
    service, key = keyed
    with connected(service) as connection:
        lines = (f"{method} {target} HTTP/1.1", "Host: a", key, announced, "", "")
        connection.sendall("\r\n".join(lines).encode())
        received = answer(connection)
    assert received.startswith(b"HTTP/1.1 400 ")
    assert json.loads(received.partition(b"\r\n\r\n")[2])["code"] == "bad_request"


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [("GET", "/healthz", 200), ("DELETE", "/v1/products/none", 404)],
)
def test_an_empty_body_is_no_body(
    keyed: tuple[Service, str], method: str, target: str, status: int
) -> None:
    service, key = keyed
    headers = {"Content-Length": "0", "Authorization": key.partition(": ")[2]}
    assert ask(service.url, target, method=method, headers=headers).status == status


def in_chunks(body: bytes, size: int) -> bytes:
    pieces = (body[at : at + size] for at in range(0, len(body), size))
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def test_a_body_in_thousands_of_chunks_is_taken(keyed: tuple[Service, str]) -> None:
    service, key = keyed
    body = json.dumps({"product_id": "red"}).encode().ljust(500_000)
    first = head(key, "Transfer-Encoding: chunked") + in_chunks(body, 100)
    last = head(key, "Transfer-Encoding: chunked", "Connection: close") + in_chunks(body, 100)
    with connected(service) as connection, ThreadPoolExecutor(1) as pool:
        answered = pool.submit(answer, connection)
        connection.sendall(first + last)
        assert answered.result().count(b"HTTP/1.1 200 ") == 2


def test_a_body_in_thousands_of_tiny_chunks_is_a_bad_request(keyed: tuple[Service, str]) -> None:
    service, key = keyed
    body = json.dumps({"product_id": "red"}).encode().ljust(5000)
    with connected(service) as connection:
        connection.sendall(head(key, "Transfer-Encoding: chunked") + in_chunks(body, 1))
        assert answer(connection).startswith(b"HTTP/1.1 400 ")


def test_a_head_may_arrive_byte_by_byte(keyed: tuple[Service, str]) -> None:
    request = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
    last = request.replace(b"Host", b"Connection: close\r\nHost")
    with connected(keyed[0]) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in request + last:
            connection.sendall(bytes([byte]))
            time.sleep(0.002)
        assert answer(connection).count(b"HTTP/1.1 200 ") == 2


def test_stalled_bodies_take_no_slot_of_a_photo_and_are_given_up_in_time(
    keyed: tuple[Service, str],
) -> None:
    service, key = keyed
    with ExitStack() as stack:
        stalled = [stack.enter_context(connected(service)) for _ in range(60)]
        for connection in stalled:
            connection.sendall(head(key, "Content-Length: 1000") + b"{")
        began = time.monotonic()
        body, content_type = multipart(png("red"))
        headers = {"Content-Type": content_type, "Authorization": key.partition(": ")[2]}
        reply = ask(service.url, "/v1/search", method="POST", body=body, headers=headers)
        assert reply.status == 200
        assert answer(stalled[0]).startswith(b"HTTP/1.1 400 ")
        assert time.monotonic() - began < 2 * STALLED_S


def test_a_body_that_only_trickles_is_given_up_as_well(keyed: tuple[Service, str]) -> None:
    service, key = keyed
    with connected(service) as connection, ThreadPoolExecutor(1) as pool:
        connection.sendall(head(key, "Content-Length: 1000"))
        answered = pool.submit(answer, connection)
        began = time.monotonic()
        while not answered.done() and time.monotonic() - began < 10 * STALLED_S:
            try:
                connection.sendall(b" ")
            except OSError:  # given up
                break
            time.sleep(0.2)
        assert time.monotonic() - began < 5 * STALLED_S


def test_a_large_answer_reaches_a_slow_reader_whole(keyed: tuple[Service, str]) -> None:
    service, key = keyed
    product = ask(
        service.url, "/v1/products/red", headers={"Authorization": key.partition(": ")[2]}
    )
    target = product.json["images"][0]["image_url"]
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        connection.settimeout(60)
        connection.connect(address_of(service.url))
        request = f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode())
        time.sleep(1)
        received = answer(connection)
    start, _, photo = received.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(photo)}".encode() in start
    assert len(photo) > 10_000_000


def test_no_request_of_this_module_was_logged_as_a_fault(keyed: tuple[Service, str]) -> None:
    log = keyed[0].log.read_text()
    assert "Traceback" not in log
    assert log.count("Booting worker") == 1

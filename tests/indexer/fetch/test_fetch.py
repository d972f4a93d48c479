"""Photos from the web: nothing private is reached, nothing endless is waited for, and a photo
that has not changed is not downloaded again."""

import gzip
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address, IPv6Address, ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.config import FetchSettings, load_settings
from indexer.errors import (
    ConfigError,
    EmptyImageError,
    FetchError,
    HostError,
    ImageError,
    ImageTooLargeError,
)
from indexer.feeds import FeedRow, ImageRef
from indexer.fetch import PhotoSource, Resolve
from indexer.fetch.addresses import is_public
from indexer.images import ImageLimits
from indexer.ingest.sync import Indexer
from tests.conftest import Store, png

HOST = "photos.example"
PHOTO = b"the bytes of a photo" * 100
LIMIT = 64 * 1024
NOT_PUBLIC = [
    *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1"),
    *("0.0.0.0", "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.0.170", "192.88.99.1"),
    *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fec0::1", "ff0e::1", "2001:db8::1"),
    *("::ffff:127.0.0.1", "::127.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1"),
    *("64:ff9b:1::1", "2002:7f00:1::", "2001:0:7f00:1::1", "::ffff:8.8.8.8", "3fff::1"),
]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "PhotoServer"

    def do_GET(self) -> None:
        self.server.requests.append((self.path, dict(self.headers)))
        answers = self.server.answers
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        try:
            answer(self)
        except OSError:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass


Answer = Callable[[Handler], None]


class PhotoServer(ThreadingHTTPServer):
    """Gives its answers in turn, the last one for ever. Listens on loopback."""

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.answers: list[Answer] = [reply()]
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.connections = 0

    @property
    def port(self) -> int:
        return self.server_address[1]

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}/a.jpg"

    def process_request(self, request: object, client_address: object) -> None:
        self.connections += 1
        super().process_request(request, client_address)  # type: ignore[arg-type]

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # clients of these tests hang up


def reply(body: bytes = PHOTO, status: int = 200, /, **headers: str) -> Answer:
    """An answer as it should be; `Content_Type="..."` sets a header."""

    def answer(handler: Handler) -> None:
        handler.send_response(status)
        if "Content_Length" not in headers and status != 304:
            handler.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        if status != 304:
            handler.wfile.write(body)

    return answer


def dripping(handler: Handler) -> None:
    """A byte of a header now and then: each read is in time, the answer never ends."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while True:
        handler.wfile.write(b"x")
        time.sleep(0.05)


def dripping_body(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
    while True:
        handler.wfile.write(b"x")
        time.sleep(0.05)


def endless(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        handler.wfile.write(bytes(8192))


def broken(handler: Handler) -> None:
    handler.close_connection = True


def to(location: str, status: int = 302) -> Answer:
    return reply(b"moved", status, Location=location)


@contextmanager
def running(server: PhotoServer) -> Iterator[PhotoServer]:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def server() -> Iterator[PhotoServer]:
    with running(PhotoServer()) as server:
        yield server


def at(*addresses: str) -> Resolve:
    """A resolver that gives these addresses for every name."""

    def resolve(host: str, port: int) -> list[str]:  # noqa: ARG001
        return list(addresses)

    return resolve


local = at("127.0.0.1")


def source(
    *allowed: str, cache: Path | None = None, seconds: float = 5, resolve: Resolve = local
) -> PhotoSource:
    settings = FetchSettings(allowed_hosts=list(allowed), timeout_s=seconds)
    return PhotoSource(ImageLimits(max_bytes=LIMIT), settings, cache, resolve)


@pytest.fixture
def photos(server: PhotoServer) -> PhotoSource:
    """A source that may ask the server."""
    return source(f"{HOST}:{server.port}", seconds=3)


NOWHERE = source()


# What may be asked


def test_a_photo_is_downloaded_from_the_address_that_was_checked(server: PhotoServer) -> None:
    answers = [["127.0.0.1"], ["169.254.169.254"]]  # a name that changes once it is checked
    photos = source(f"{HOST}:{server.port}", resolve=lambda *_: answers.pop(0))
    assert photos.read(server.url) == PHOTO
    assert len(answers) == 1
    assert server.requests[0][1]["Host"] == f"{HOST}:{server.port}"


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_a_host_with_an_address_that_is_not_public_is_refused(address: str) -> None:
    photos = source(resolve=at("8.8.8.8", address))
    with pytest.raises(FetchError, match=r"not on the public internet; .* fetch\.allowed_hosts"):
        photos.read("https://shop.example/a.jpg")


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1", "0.0.0.0", "::", "224.0.0.1"])
def test_even_an_allowed_host_is_not_asked_at_a_link_local_address(address: str) -> None:
    photos = source("shop.example", resolve=at(address))
    with pytest.raises(FetchError, match="not on the public internet"):
        photos.read("https://shop.example/a.jpg")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "localhost", "[::1]", "[::ffff:7f00:1]"]
)
def test_no_way_to_write_this_machine_gets_through(host: str, server: PhotoServer) -> None:
    photos = PhotoSource(ImageLimits(), FetchSettings(timeout_s=1))
    with pytest.raises(FetchError):
        photos.read(f"http://{host}/a.jpg")
    with pytest.raises(FetchError, match="port"):
        photos.read(f"http://{host}:{server.port}/a.jpg")
    assert server.connections == 0


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://user:secret@shop.example/a.jpg", "user name or password"),
        ("http://user@shop.example/a.jpg", "user name or password"),
        ("http://shop.example:22/a.jpg", "not fetched from port 22"),
        ("https://shop.example:99999/a.jpg", "invalid URL"),
        ("http:///a.jpg", "must start with http"),
        ("http://[::1/a.jpg", "invalid URL"),
        (f"http://{'a' * 70}.example/a.jpg", "invalid host name"),
    ],
)
def test_a_url_that_is_not_for_photos_is_refused(url: str, reason: str) -> None:
    photos = PhotoSource(ImageLimits(), FetchSettings(timeout_s=1))
    with pytest.raises(FetchError, match=reason):
        photos.read(url)


@given(st.ip_addresses())
def test_no_address_of_a_special_network_is_public(address: IPv4Address | IPv6Address) -> None:
    special = [
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16"),
        *("198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3", "::/3"),
        *("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "4000::/2", "8000::/1"),
    ]
    assert is_public(address) != any(address in ip_network(network) for network in special)


@given(st.ip_addresses(v=4))
def test_no_address_that_carries_another_is_public(inner: IPv4Address) -> None:
    number = int(inner)
    for prefix in ("::", "::ffff:0:0", "::ffff:0:0:0", "64:ff9b::", "64:ff9b:1::"):
        assert not is_public(IPv6Address(int(IPv6Address(prefix)) | number))
    assert not is_public(IPv6Address(int(IPv6Address("2002::")) | number << 80))
    assert not is_public(IPv6Address(int(IPv6Address("2001::")) | number ^ 0xFFFFFFFF))


def test_hosts_are_allowed_by_a_list_or_by_text_with_commas(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("fetch: {allowed_hosts: [photos.internal, '[fd00::1]:8080']}")
    hosts = ["photos.internal", "[fd00::1]:8080"]
    variable = {"IMAGE_SEARCH_FETCH_ALLOWED_HOSTS": ", ".join(hosts)}
    assert load_settings(file, {}).fetch.allowed_hosts == hosts
    assert load_settings(environ=variable).fetch.allowed_hosts == hosts
    for wrong in ("https://photos.internal", "photos.internal:https", "a/b", "user@host"):
        with pytest.raises(ConfigError, match=r"fetch\.allowed_hosts: received .*photos\.internal"):
            load_settings(environ={"IMAGE_SEARCH_FETCH_ALLOWED_HOSTS": wrong})


# Redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed(server: PhotoServer, photos: PhotoSource, status: int) -> None:
    server.answers = [to("/b.jpg", status), reply()]
    assert photos.read(server.url) == PHOTO
    assert [path for path, _ in server.requests] == ["/a.jpg", "/b.jpg"]


@pytest.mark.parametrize(
    "location",
    [
        *("http://internal.example/", "//169.254.169.254/latest/meta-data", "http://127.0.0.1/"),
        *("file:///etc/passwd", "http://u:p@shop.example/", "http://shop.example:6379/"),
        *("http://[::1", "http://photos.example:1/"),
    ],
)
def test_a_redirect_is_checked_as_the_url_is(server: PhotoServer, location: str) -> None:
    def resolve(host: str, port: int) -> list[str]:  # noqa: ARG001
        return [{HOST: "127.0.0.1", "internal.example": "10.0.0.1"}.get(host, host)]

    server.answers = [to(location)]
    with pytest.raises(FetchError):
        source(f"{HOST}:{server.port}", resolve=resolve).read(server.url)
    assert {path for path, _ in server.requests} == {"/a.jpg"}


def test_redirects_that_do_not_end_are_given_up(server: PhotoServer, photos: PhotoSource) -> None:
    server.answers = [to("/again")]
    with pytest.raises(FetchError, match="redirects more than 3 times"):
        photos.read(server.url)
    assert len(server.requests) == 4


# Limits


def test_a_photo_over_the_limit_is_refused_by_its_length(
    server: PhotoServer, photos: PhotoSource
) -> None:
    server.answers = [reply(b"", Content_Length="65537")]
    with pytest.raises(ImageTooLargeError, match="more than 65,536 bytes"):
        photos.read(server.url)
    server.answers = [reply(bytes(LIMIT))]
    assert len(photos.read(server.url)) == LIMIT


def test_an_endless_photo_is_refused_at_the_limit(server: PhotoServer, photos: PhotoSource) -> None:
    server.answers = [endless]
    with pytest.raises(ImageTooLargeError):
        photos.read(server.url)


def test_a_compressed_bomb_is_refused_at_the_limit(
    server: PhotoServer, photos: PhotoSource
) -> None:
    bomb = gzip.compress(gzip.compress(bytes(48 * LIMIT)) + bytes(500))
    large = gzip.compress(bytes(30_000_000))
    assert len(bomb) < len(large) < LIMIT
    server.answers = [
        reply(large, Content_Encoding="gzip"),
        reply(bomb, Content_Encoding="gzip, gzip"),
    ]
    tracemalloc.start()
    try:
        for _ in range(2):
            with pytest.raises(ImageTooLargeError):
                photos.read(server.url)
        assert tracemalloc.get_traced_memory()[1] < 16 * LIMIT
    finally:
        tracemalloc.stop()


def test_a_compressed_photo_is_unpacked(server: PhotoServer, photos: PhotoSource) -> None:
    server.answers = [reply(gzip.compress(PHOTO), Content_Encoding="gzip")]
    assert photos.read(server.url) == PHOTO


@pytest.mark.parametrize("answer", [dripping, dripping_body], ids=lambda f: f.__name__)
def test_a_server_that_drips_is_cut_off_in_time(server: PhotoServer, answer: Answer) -> None:
    server.answers = [answer]
    start = time.monotonic()
    with pytest.raises(FetchError, match=r"was not received within 0\.3 seconds"):
        source(f"{HOST}:{server.port}", seconds=0.3).read(server.url)
    assert time.monotonic() - start < 0.8


def test_a_silent_server_is_cut_off_in_time(server: PhotoServer) -> None:
    server.answers = [lambda _: time.sleep(0.5)]
    start = time.monotonic()
    with pytest.raises(FetchError, match=r"was not received within 0\.3 seconds"):
        source(f"{HOST}:{server.port}", seconds=0.3).read(server.url)
    assert time.monotonic() - start < 0.8


def test_an_empty_photo_is_refused_as_empty(server: PhotoServer, photos: PhotoSource) -> None:
    server.answers = [reply(b"")]
    with pytest.raises(EmptyImageError):
        photos.read(server.url)


# Second tries


@pytest.mark.parametrize(
    "failure",
    [reply(b"", 500), broken, reply(Content_Length="9999", Connection="close")],
    ids=["500", "hangs up", "ends early"],
)
def test_a_passing_failure_is_tried_again(
    server: PhotoServer, photos: PhotoSource, failure: Answer
) -> None:
    server.answers = [failure, reply()]
    assert photos.read(server.url) == PHOTO
    assert len(server.requests) == 2


def test_a_lasting_failure_is_given_up_after_three_tries(
    server: PhotoServer, photos: PhotoSource
) -> None:
    server.answers = [reply(b"", 503)]
    with pytest.raises(FetchError, match=r"returned 503; .* try again"):
        photos.read(server.url)
    assert len(server.requests) == 3


@pytest.mark.parametrize("status", [204, 206, 400, 401, 403, 404, 410])
def test_a_refusal_is_not_tried_again(
    server: PhotoServer, photos: PhotoSource, status: int
) -> None:
    server.answers = [reply(b"no", status)]
    with pytest.raises(FetchError, match=f"returned {status}"):
        photos.read(server.url)
    assert len(server.requests) == 1


def test_retry_after_is_waited_for(server: PhotoServer, photos: PhotoSource) -> None:
    server.answers = [reply(b"", 429, Retry_After="1"), reply()]
    start = time.monotonic()
    assert photos.read(server.url) == PHOTO
    assert time.monotonic() - start >= 1


@pytest.mark.parametrize("wait", ["86400", "9" * 400, "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_wait_beyond_the_time_limit_is_not_begun(
    server: PhotoServer, photos: PhotoSource, wait: str
) -> None:
    server.answers = [reply(b"", 429, Retry_After=wait)]
    start = time.monotonic()
    with pytest.raises(FetchError, match="returned 429"):
        photos.read(server.url)
    assert time.monotonic() - start < 0.5


def test_the_next_address_is_tried_where_one_does_not_accept(server: PhotoServer) -> None:
    photos = source(f"{HOST}:{server.port}", resolve=at("127.0.0.2", "127.0.0.1"))
    assert photos.read(server.url) == PHOTO


def test_connections_are_used_again(server: PhotoServer, photos: PhotoSource) -> None:
    for _ in range(10):
        photos.read(server.url)
    assert server.connections == 1


def test_threads_may_share_a_source(server: PhotoServer, photos: PhotoSource) -> None:
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(photos.read, [server.url] * 40)) == {PHOTO}


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_closing_a_source_ends_the_downloads_of_other_threads(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, ThreadPoolExecutor(1) as pool:
        port = silent.getsockname()[1]
        photos = source(f"{HOST}:{port}", seconds=60)
        coming = pool.submit(photos.read, f"{scheme}://{HOST}:{port}/a.jpg")
        connected, _ = silent.accept()
        photos.close()
        with pytest.raises(FetchError):
            coming.result(4)
        with pytest.raises(FetchError, match="downloads have been stopped"):
            photos.read(f"{scheme}://{HOST}:{port}/a.jpg")
        connected.close()


def test_a_name_that_is_not_resolved_in_time_is_given_up() -> None:
    def never(host: str, port: int) -> list[str]:  # noqa: ARG001
        time.sleep(60)
        return []

    start = time.monotonic()
    with pytest.raises(FetchError, match="was not received within"):
        source(seconds=0.3, resolve=never).read("https://shop.example/a.jpg")
    assert time.monotonic() - start < 4


def test_a_host_that_fails_three_times_in_a_row_is_asked_no_more(server: PhotoServer) -> None:
    settings = FetchSettings(allowed_hosts=[f"{HOST}:{server.port}"])
    photos = PhotoSource(ImageLimits(), settings, resolve=local, patience=3)
    server.answers = [reply(b"", 503, Retry_After="999")]
    for _ in range(2):
        with pytest.raises(HostError):
            photos.read(server.url)
    server.answers = [reply(b"", 404)]
    with pytest.raises(FetchError):
        photos.read(server.url)  # it answers, so the row of failures is over
    server.answers = [reply(b"", 503, Retry_After="999")]
    for _ in range(5):
        with pytest.raises(HostError, match="returned 503"):
            photos.read(server.url)
    assert len(server.requests) == 6


def test_connections_that_are_refused_for_a_moment_do_not_make_a_host_one_that_is_down() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = FetchSettings(allowed_hosts=[f"{HOST}:{port}"])
    photos = PhotoSource(ImageLimits(), settings, resolve=local, patience=3)
    with ThreadPoolExecutor(4) as pool:
        coming = [pool.submit(photos.read, f"http://{HOST}:{port}/a.jpg") for _ in range(4)]
        time.sleep(0.2)
        with running(PhotoServer(port)):
            assert [each.result(10) for each in coming] == [PHOTO] * 4


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for HOST that nobody has signed, with its key."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    file = tmp_path_factory.mktemp("tls") / "photos.pem"
    new = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    name = ["-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}"]
    files = ["-keyout", str(file), "-out", str(file.with_suffix(".crt"))]
    subprocess.run([*new.split(), *name, *files], check=True, capture_output=True)
    file.write_text(file.read_text() + file.with_suffix(".crt").read_text())
    return file


@pytest.fixture
def tls_server(certificate: Path) -> Iterator[PhotoServer]:
    server = PhotoServer()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with running(server):
        yield server


def test_a_certificate_that_nobody_signed_is_refused(tls_server: PhotoServer) -> None:
    with pytest.raises(FetchError, match="self-signed certificate"):
        source(f"{HOST}:{tls_server.port}").read(f"https://{HOST}:{tls_server.port}/a.jpg")
    assert tls_server.requests == []


def test_a_certificate_must_be_for_the_host_of_the_url(
    tls_server: PhotoServer, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", os.fspath(certificate))
    photos = source(f"{HOST}:{tls_server.port}", f"other.example:{tls_server.port}")
    assert photos.read(f"https://{HOST}:{tls_server.port}/a.jpg") == PHOTO
    with pytest.raises(FetchError, match=r"not valid for 'other\.example'"):
        photos.read(f"https://other.example:{tls_server.port}/a.jpg")


def test_a_dripping_tls_server_is_cut_off_in_time(
    tls_server: PhotoServer, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", os.fspath(certificate))
    tls_server.answers = [dripping]
    with pytest.raises(FetchError, match=r"was not received within 0\.3 seconds"):
        source(f"{HOST}:{tls_server.port}", seconds=0.3).read(
            f"https://{HOST}:{tls_server.port}/a.jpg"
        )


# The cache


@pytest.fixture
def cached(server: PhotoServer, tmp_path: Path) -> PhotoSource:
    return source(f"{HOST}:{server.port}", cache=tmp_path / "cache")


@pytest.mark.parametrize(
    ("given_with", "asked_with"),
    [
        ({"ETag": '"1"'}, {"If-None-Match": '"1"'}),
        (
            {"Last_Modified": "Mon, 01 Jan 2024 00:00:00 GMT"},
            {"If-Modified-Since": "Mon, 01 Jan 2024 00:00:00 GMT"},
        ),
    ],
)
def test_an_unchanged_photo_is_asked_about_and_not_downloaded(
    server: PhotoServer,
    cached: PhotoSource,
    given_with: dict[str, str],
    asked_with: dict[str, str],
) -> None:
    server.answers = [reply(**given_with), reply(b"", 304)]
    assert [cached.read(server.url) for _ in range(3)] == [PHOTO] * 3
    assert server.answers[0] is not None
    assert all(asked_with.items() <= headers.items() for _, headers in server.requests[1:])
    assert server.connections == 1


def test_a_changed_photo_replaces_the_old_one(server: PhotoServer, cached: PhotoSource) -> None:
    server.answers = [reply(ETag='"1"'), reply(b"new", ETag='"2"'), reply(b"", 304)]
    assert [cached.read(server.url) for _ in range(3)] == [PHOTO, b"new", b"new"]
    assert server.requests[2][1]["If-None-Match"] == '"2"'


def test_a_photo_without_a_validator_is_downloaded_again(
    server: PhotoServer, cached: PhotoSource, tmp_path: Path
) -> None:
    assert [cached.read(server.url) for _ in range(2)] == [PHOTO] * 2
    assert not (tmp_path / "cache").exists()


def test_validators_go_only_to_the_url_that_gave_them(
    server: PhotoServer, cached: PhotoSource
) -> None:
    """Else a redirect to another photo, older than this one, would be taken for no change."""
    server.answers = [to("/1.jpg"), reply(Last_Modified="Mon, 01 Jan 2024 00:00:00 GMT")]
    assert cached.read(server.url) == PHOTO
    server.answers = [to("/2.jpg"), reply(b"other", Last_Modified="Sun, 01 Jan 2023 00:00:00 GMT")]
    assert cached.read(server.url) == b"other"
    assert not any("If-Modified-Since" in headers for _, headers in server.requests)


@pytest.mark.parametrize("position", [0, 40, 120, -1])
def test_a_damaged_entry_is_downloaded_again(
    server: PhotoServer, cached: PhotoSource, tmp_path: Path, position: int
) -> None:
    server.answers = [reply(ETag='"1"')]
    cached.read(server.url)
    (file,) = (tmp_path / "cache").glob("*/*")
    content = bytearray(file.read_bytes())
    content[position] ^= 1
    file.write_bytes(content)
    assert cached.read(server.url) == PHOTO
    assert "If-None-Match" not in server.requests[1][1]
    for size in (0, 10, len(content) - 1):
        os.truncate(file, size)
        assert cached.read(server.url) == PHOTO


def test_a_cache_that_cannot_be_written_does_no_harm(server: PhotoServer, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    photos = source(f"{HOST}:{server.port}", cache=tmp_path / "file")
    server.answers = [reply(ETag='"1"')]
    assert [photos.read(server.url) for _ in range(2)] == [PHOTO] * 2


def test_a_full_cache_keeps_what_it_has_and_drops_what_no_run_has_used(
    server: PhotoServer, tmp_path: Path
) -> None:
    server.answers = [reply(bytes(LIMIT), ETag='"1"')]

    def run(numbers: range) -> None:
        settings = FetchSettings(allowed_hosts=[f"{HOST}:{server.port}"], cache_mib=1)
        photos = PhotoSource(ImageLimits(), settings, tmp_path / "cache", local)
        for number in numbers:
            photos.read(f"{server.url}?{number}")

    run(range(20))
    files = set((tmp_path / "cache").glob("*/*"))
    assert len(files) == 15  # of 64 KiB and a few bytes each
    run(range(20, 30))
    assert set((tmp_path / "cache").glob("*/*")) == files
    old = sorted(files)[:5]
    for file in old:
        os.utime(file, (0, time.time() - 31 * 24 * 3600))
    run(range(30, 40))
    left = set((tmp_path / "cache").glob("*/*"))
    assert len(left) == 15
    assert left & files == files - set(old)


# In a run


def test_one_bad_url_never_stops_a_run(store: Store, server: PhotoServer, tmp_path: Path) -> None:
    photos = source(f"{HOST}:{server.port}", cache=tmp_path / "cache")
    spec = store.embedder.spec
    indexer = Indexer(store.catalog, spec, lambda: store.embedder, photos, lambda _: None)
    server.answers = [reply(png("red"), ETag='"1"')]
    urls = {"good": server.url, "inside": "http://inside.example/a.jpg", "odd": "HTTP://:/"}
    rows = [
        FeedRow(name, {}, (ImageRef(url, url),), line, "feed")
        for line, (name, url) in enumerate(urls.items(), 1)
    ]
    report = indexer.add(rows)
    assert report.added == ["good"]
    assert [(r.line, r.product_id) for r in report.rejected] == [(2, "inside"), (3, "odd")]
    assert "inside.example is not on the public internet" in report.rejected[0].reason
    server.answers = [reply(b"", 304)]
    assert (indexer.add(rows).unchanged, store.embedder.images_seen) == (1, 1)


@given(st.text(max_size=60))
def test_whatever_a_feed_calls_a_url_only_image_errors_come_out(rest: str) -> None:
    with pytest.raises(ImageError):
        NOWHERE.read("http://" + rest)

"""Nothing endless is waited for, and what fails for a moment is tried again."""

import gzip
import socket
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import pytest

from indexer.config import FetchSettings
from indexer.errors import (
    EmptyImageError,
    FetchError,
    HostError,
    ImageTooLargeError,
)
from indexer.fetch import PhotoSource
from indexer.fetch.hosts import Hosts
from indexer.images import ImageLimits
from tests.indexer.fetch.conftest import LIMIT, at, local, source
from tests.photo_server import (
    HOST,
    PHOTO,
    Answer,
    PhotoServer,
    broken,
    dripping,
    dripping_body,
    endless,
    reply,
    running,
)


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


@pytest.mark.slow
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


@pytest.mark.slow
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


def test_a_name_that_is_not_resolved_in_time_is_given_up() -> None:
    def never(host: str, port: int) -> list[str]:  # noqa: ARG001
        time.sleep(60)
        return []

    start = time.monotonic()
    with pytest.raises(FetchError, match="was not received within"):
        source(seconds=0.3, resolve=never).read("https://shop.example/a.jpg")
    assert time.monotonic() - start < 4


def test_failures_of_concurrent_requests_count_once() -> None:
    hosts, error, began = Hosts(3), HostError("down"), time.monotonic()
    for _ in range(8):
        hosts.failed("host", error, began)
    hosts.failed("host", error, time.monotonic())
    hosts.require("host")
    hosts.failed("host", error, time.monotonic())
    with pytest.raises(HostError, match="down"):
        hosts.require("host")


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

"""Thumbnails: made once, kept within a limit, and the photo itself where none can be made."""

import io
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from hashlib import sha256
from threading import Event, get_native_id

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.test import TestResponse

from indexer.config import ServiceSettings
from indexer.config.settings import ImageSettings
from indexer.feeds import FeedRow, ImageRef
from indexer.fetch.cache import PhotoCache
from indexer.fetch.download import Download
from indexer.images import ImageLimits
from indexer.store import NewImage, PutProduct
from service.engine import collections, thumbnails
from service.engine.file_cache import FileCache
from tests.conftest import Store, png
from tests.service.conftest import serving

Draw = Callable[[str, bytes], None]


@pytest.fixture
def draw(store: Store) -> Draw:
    """Adds a product with the photo of a file with this content."""

    def add(product_id: str, photo: bytes) -> None:
        path = store.photos / product_id
        path.write_bytes(photo)
        store.add(FeedRow(product_id, {}, (ImageRef(path.name, str(path)),), None, "feed"))

    return add


def opened(response: TestResponse) -> Image.Image:
    assert (response.status_code, response.mimetype) == (200, "image/webp")
    return Image.open(io.BytesIO(response.data), formats=["WEBP"])


def jpeg(size: tuple[int, int], turn: int = 1) -> bytes:
    """A picture that is red on its left and blue on its right, before it is turned."""
    picture = Image.new("RGB", size, "blue")
    picture.paste("red", (0, 0, size[0] // 2, size[1]))
    exif = Image.Exif()
    exif[0x0112] = turn
    file = io.BytesIO()
    picture.save(file, "JPEG", exif=exif)
    return file.getvalue()


@pytest.mark.parametrize("width", [160, 320, 640])
def test_a_thumbnail_has_the_width_asked_for(own: FlaskClient, draw: Draw, width: int) -> None:
    draw("wide", jpeg((1600, 1200)))
    assert opened(own.get(f"/v1/images/1?width={width}")).size == (width, width * 3 // 4)


def test_a_thumbnail_is_upright_and_has_no_metadata(own: FlaskClient, draw: Draw) -> None:
    draw("turned", jpeg((1600, 1200), turn=6))
    picture = opened(own.get("/v1/images/1?width=320"))
    assert picture.size == (320, 427)
    assert not picture.getexif()
    red, _, blue = picture.convert("RGB").getpixel((160, 20))  # type: ignore[misc]
    assert red > 200 > 50 > blue


@pytest.mark.parametrize(
    ("size", "expected"), [((90, 60), (90, 60)), ((300, 9000), (43, 1280)), ((640, 2), (320, 1))]
)
def test_a_small_photo_is_not_enlarged_and_a_narrow_one_is_not_long(
    own: FlaskClient, draw: Draw, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    draw("odd", png("green", size))
    assert opened(own.get("/v1/images/1?width=320")).size == expected


def test_an_address_with_the_hash_of_the_photo_may_be_kept_for_good(
    own: FlaskClient, draw: Draw
) -> None:
    draw("red", png("red"))
    url = own.get("/v1/products/red").get_json()["images"][0]["thumbnail_url"]
    assert url.endswith(f"&hash={sha256(png('red')).hexdigest()[:16]}&width=320")
    for address in (url, url.replace("&width=320", "")):
        answer = own.get(address)
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        again = own.get(address, headers={"If-None-Match": f"W/{answer.headers['ETag']}"})
        assert (again.status_code, again.data) == (304, b"")
        assert again.headers["Cache-Control"] == answer.headers["Cache-Control"]
    without = own.get("/v1/images/1?width=320")
    assert without.headers["Cache-Control"] == "public, max-age=3600"
    assert without.headers["ETag"] != own.get("/v1/images/1?width=160").headers["ETag"]
    other = own.get("/v1/images/1?hash=0123456789abcdef&width=320")
    assert (other.status_code, other.get_json()["code"]) == (404, "unknown_image")


def test_a_head_request_tells_the_length_and_a_range_is_answered_whole(
    own: FlaskClient, draw: Draw
) -> None:
    draw("red", png("red"))
    url = "/v1/images/1?width=160"
    whole = own.get(url)
    head = own.head(url)
    assert (head.data, head.headers["Content-Length"]) == (b"", str(len(whole.data)))
    part = own.get(url, headers={"Range": "bytes=0-9"})
    assert (part.status_code, part.data) == (200, whole.data)


@pytest.mark.parametrize("query", ["width=200", "width=", "width=320.0", "hash=ab", "height=160"])
def test_other_sizes_are_refused(own: FlaskClient, draw: Draw, query: str) -> None:
    draw("red", png("red"))
    answer = own.get(f"/v1/images/1?{query}")
    assert (answer.status_code, answer.get_json()["code"]) == (400, "bad_parameter")
    if query == "width=200":
        assert answer.get_json()["detail"].endswith("must be 160, 320 or 640")


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The widths of the thumbnails that are made."""
    widths: list[int] = []
    really = thumbnails.thumbnail

    def counted(photo: bytes, limits: ImageLimits, width: int) -> bytes:
        widths.append(width)
        return really(photo, limits, width)

    monkeypatch.setattr(thumbnails, "thumbnail", counted)
    return widths


def test_a_thumbnail_is_made_once_for_all_requests_and_processes(
    store: Store, draw: Draw, made: list[int]
) -> None:
    draw("red", jpeg((1600, 1200)))
    with serving(store.catalog.folder.parent) as client:

        def ask(_: int) -> bytes:
            return bytes(client.application.test_client().get("/v1/images/1?width=320").data)

        with ThreadPoolExecutor(6) as pool:
            assert len(set(pool.map(ask, range(12)))) == 1
    (store.photos / "red").unlink()
    with serving(store.catalog.folder.parent) as client:
        assert opened(client.get("/v1/images/1?width=320")).size == (320, 240)
        assert client.get("/v1/images/1?width=640").status_code == 404
    assert made == [320]


def test_a_thumbnail_made_just_after_a_request_looked_for_it_is_not_made_again(
    own: FlaskClient, draw: Draw, made: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    draw("red", png("red"))
    looked = FileCache.load

    def load(cache: FileCache, key: str) -> bytes | None:
        found = looked(cache, key)
        monkeypatch.setattr(FileCache, "load", looked)
        assert opened(own.application.test_client().get("/v1/images/1?width=320"))
        return found

    monkeypatch.setattr(FileCache, "load", load)
    assert opened(own.get("/v1/images/1?width=320"))
    assert made == [320]


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority of their own")
def test_requests_come_before_thumbnails(
    own: FlaskClient, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw("red", png("red"))
    priorities = []

    def made(*_: object) -> bytes:
        priorities.append(os.getpriority(os.PRIO_PROCESS, get_native_id()))
        return b""

    monkeypatch.setattr(thumbnails, "thumbnail", made)
    assert own.get("/v1/images/1?width=320").status_code == 200
    assert priorities[0] > os.getpriority(os.PRIO_PROCESS, get_native_id())


@pytest.fixture
def too_large(store: Store, draw: Draw) -> Iterator[FlaskClient]:
    """A service whose limits were lowered since the photo was indexed."""
    draw("large", png("red", (200, 200)))
    limits = ImageSettings(max_pixels=1024)
    with serving(store.catalog.folder.parent, images=limits) as client:
        yield client


def test_a_photo_that_cannot_be_decoded_stands_in_for_its_thumbnail(
    too_large: FlaskClient,
) -> None:
    url = too_large.get("/v1/products/large").get_json()["images"][0]["thumbnail_url"]
    answer = too_large.get(url)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (302, "public, max-age=60")
    assert too_large.get(url, follow_redirects=True).data == png("red", (200, 200))


def test_over_the_limit_of_requests_the_photo_stands_in_for_its_thumbnail(
    store: Store, draw: Draw
) -> None:
    draw("red", png("red"))
    few = ServiceSettings(max_in_flight=1)
    with serving(store.catalog.folder.parent, own=few) as client, ExitStack() as others:
        for _ in range(2):
            others.enter_context(
                client.application.extensions["search"].admission.admit("thumbnail")
            )
        assert client.get("/v1/images/1?width=320", follow_redirects=True).data == png("red")
        others.close()
        assert opened(client.get("/v1/images/1?width=320"))


def test_a_thumbnail_that_no_request_waits_for_is_not_made(
    store: Store, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw("red", png("red"))
    made, free = [], Event()
    really = thumbnails.thumbnail

    def slow(photo: bytes, limits: ImageLimits, width: int) -> bytes:
        made.append(width)
        free.wait(10)
        return really(photo, limits, width)

    monkeypatch.setattr(thumbnails, "thumbnail", slow)
    monkeypatch.setattr(collections, "thumbnail_threads", lambda *_: 1)
    monkeypatch.setattr(thumbnails, "_WAIT_S", 0.1)
    with serving(store.catalog.folder.parent) as client:
        for width in (160, 320):
            assert client.get(f"/v1/images/1?width={width}").status_code == 302
        monkeypatch.setattr(thumbnails, "_WAIT_S", 10)
        free.set()
        assert opened(client.get("/v1/images/1?width=640"))  # after the others
    assert made == [160, 640]


def test_a_photo_on_the_web_is_not_downloaded_for_its_thumbnail(
    store: Store, own: FlaskClient
) -> None:
    url = "http://photos.example/a.png"
    store.add(store.row("red", "red"))
    digest = sha256(png("red")).hexdigest()
    vector = np.eye(1, store.embedder.dimension, dtype=np.float32)[0]
    with store.catalog.writer() as writer:
        writer.put([PutProduct("web", {}, (NewImage(url, url, digest, vector),))])
    shown = own.get("/v1/images/2?width=320")
    assert (shown.status_code, shown.location) == (302, url)
    cache = PhotoCache(store.catalog.folder.parent / ".photos", 2**20)
    cache.store(url, Download(png("blue"), url, '"1"', None))
    assert own.get("/v1/images/2?width=320").location == url  # not the photo that was indexed
    cache.store(url, Download(png("red"), url, '"2"', None))
    assert opened(own.get("/v1/images/2?width=320")).size == (32, 32)

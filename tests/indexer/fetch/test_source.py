"""One source of photos for a whole run."""

import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.errors import (
    FetchError,
    ImageError,
)
from indexer.feeds import FeedRow, ImageRef
from indexer.fetch import PhotoSource
from indexer.ingest.sync import Indexer
from tests.conftest import Store, png
from tests.indexer.fetch.conftest import source
from tests.photo_server import HOST, PHOTO, PhotoServer, reply

NOWHERE = source()


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

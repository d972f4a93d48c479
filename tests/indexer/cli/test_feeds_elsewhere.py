"""Feeds from URLs and from standard input."""

import errno
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import png
from tests.indexer.cli.conftest import Ran, Shop, grey
from tests.photo_server import Handler, PhotoServer, reply, running

HEADER = "id,image_link,price\n"
ROWS = "a,photos/1.png,5.00 EUR\nb,/photos/2.png,6.00 EUR\n"


@pytest.fixture
def server() -> Iterator[PhotoServer]:
    with running(PhotoServer()) as server:
        yield server


def serves(server: PhotoServer, feed: str, **headers: str) -> None:
    """Makes the server give a feed, a 304 if its validator is known, and photos."""
    name = json.dumps(str(hash(feed)))

    def answer(handler: Handler) -> None:
        if "photos" in handler.path:
            colour = int(handler.path.rpartition("/")[2].partition(".")[0])
            reply(png(grey(colour)))(handler)
        elif handler.headers.get("If-None-Match") == name:
            reply(b"", 304)(handler)
        else:
            reply(feed.encode(), ETag=name, **headers)(handler)

    server.answers = [answer]


def run(shop: Shop, server: PhotoServer, *arguments: object, **settings: str) -> Ran:
    allowed = {"IMAGE_SEARCH_FETCH_ALLOWED_HOSTS": f"127.0.0.1:{server.port}"}
    return shop.run(*arguments, **allowed, **settings)


def asked(server: PhotoServer) -> list[tuple[str, str | None]]:
    """The requests for feeds: their paths and conditions."""
    return [
        (path, headers.get("If-None-Match"))
        for path, headers in server.requests
        if "photos" not in path
    ]


@pytest.mark.parametrize("path", ["shop/feed.csv?token=1", "shop/export"])
def test_a_feed_at_a_url_is_synced_with_the_photos_beside_it(
    shop: Shop, server: PhotoServer, path: str
) -> None:
    serves(server, HEADER + ROWS)
    url = f"http://127.0.0.1:{server.port}/{path}"
    ran = run(shop, server, "sync", url, "--json")
    assert (ran.code, ran.json["added"]) == (0, 2)
    photos = [product.images[0].location for product in shop.products().values()]
    host = f"http://127.0.0.1:{server.port}"
    assert photos == [f"{host}/shop/photos/1.png", f"{host}/photos/2.png"]
    assert not list((shop.data_dir / ".feeds").glob("reading-*"))


def test_a_feed_that_has_not_changed_is_not_sent_again(shop: Shop, server: PhotoServer) -> None:
    url = f"http://127.0.0.1:{server.port}/feed.csv"
    serves(server, HEADER + ROWS)
    assert run(shop, server, "sync", url, "--json").json["added"] == 2
    assert run(shop, server, "sync", url, "--json").json["unchanged"] == 2
    (first, unconditional), (second, conditional) = asked(server)
    assert (first, unconditional, second) == ("/feed.csv", None, "/feed.csv")
    assert conditional is not None
    serves(server, HEADER + ROWS.replace("5.00", "4.00"))
    assert run(shop, server, "sync", url, "--json").json["updated"] == 1


def test_a_kept_feed_that_is_damaged_is_downloaded_again(shop: Shop, server: PhotoServer) -> None:
    url = f"http://127.0.0.1:{server.port}/feed.csv"
    serves(server, HEADER + ROWS)
    run(shop, server, "sync", url)
    (kept,) = (file for file in (shop.data_dir / ".feeds").iterdir() if file.suffix == "")
    kept.write_text(HEADER)
    assert run(shop, server, "sync", url, "--json").json["unchanged"] == 2
    assert [condition for _, condition in asked(server)] == [None, None]


def test_a_feed_at_a_url_names_no_file_of_this_machine(shop: Shop, server: PhotoServer) -> None:
    own = shop.photo("own.png", "red")
    serves(server, f"{HEADER}a,{own},5\nb,file://{own},5\nc,../../own.png,5\n")
    ran = run(shop, server, "add", f"http://127.0.0.1:{server.port}/feed.csv", "--json")
    assert ran.json["added"] == 0
    assert "file" in ran.json["rejections"][1]["reason"]


def test_a_feed_on_the_private_network_is_refused_unless_its_host_is_allowed(shop: Shop) -> None:
    ran = shop.run("sync", "http://127.0.0.1/feed.csv")
    assert ran.code == 1
    assert "127.0.0.1 is not on the public internet" in ran.err
    assert "fetch.allowed_hosts" in ran.err


def test_a_server_that_is_down_changes_nothing(shop: Shop, server: PhotoServer) -> None:
    url = f"http://127.0.0.1:{server.port}/feed.csv"
    serves(server, HEADER + ROWS)
    run(shop, server, "sync", url)
    before = shop.products()
    server.answers = [reply(b"", 404)]
    ran = run(shop, server, "sync", url, "--json")
    assert (ran.code, ran.json["error"]["code"]) == (1, "bad_feed")
    assert f"{url}: the feed server returned 404" in ran.err
    assert shop.products() == before


def test_a_feed_over_the_limit_is_refused(shop: Shop, server: PhotoServer) -> None:
    serves(server, HEADER + "x" * 2**20)
    limit = {"IMAGE_SEARCH_FETCH_FEED_MIB": "1"}
    ran = run(shop, server, "add", f"http://127.0.0.1:{server.port}/feed.csv", **limit)
    assert ran.code == 1
    assert "the feed has more than 1,048,576 bytes" in ran.err


def test_errors_and_rejected_rows_of_a_feed_at_a_url_name_the_url(
    shop: Shop, server: PhotoServer
) -> None:
    url = f"http://127.0.0.1:{server.port}/feed.csv"
    serves(server, "number,price\n1,2\n")
    assert f"error: {url}: a feed needs the columns" in run(shop, server, "sync", url).err
    serves(server, HEADER + "a,photos/1.png,free\n")
    ran = run(shop, server, "sync", url, "--rejected", shop.folder / "bad.csv")
    assert f"rejected: {url}, line 2" in ran.err
    header, row = (shop.folder / "bad.csv").read_text().splitlines()
    assert header == "source,line,reason,id,image_link,price"
    assert row.startswith(f"{url},2,")
    assert f"http://127.0.0.1:{server.port}/photos/1.png" in row


@pytest.mark.parametrize(
    "feed",
    [
        "id;image_link\na;a.png\n",
        '\ufeff{"id": "a", "image_link": "a.png"}\n',
        "<rss><channel><item><id>a</id><image_link>a.png</image_link></item></channel></rss>",
    ],
)
def test_standard_input_is_a_feed_of_the_format_that_it_looks_like(shop: Shop, feed: str) -> None:
    shop.photo("a.png", "red")
    ran = shop.run("sync", "-", "--json", stdin=feed)
    assert (ran.code, ran.json["added"]) == (0, 1)
    assert shop.run("add", "-", "--json", stdin=feed).json["unchanged"] == 1


def test_standard_input_is_read_once(shop: Shop) -> None:
    ran = shop.run("add", "-", "-", stdin="id,image_link\n")
    assert (ran.code, "only once" in ran.err) == (2, True)


def test_a_feed_may_be_made_while_it_is_waited_for(
    shop: Shop, server: PhotoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexer.fetch.download.READ_S", 0.3)
    serves(server, HEADER + ROWS)
    (answer,) = server.answers

    def slowly(handler: Handler) -> None:
        if "photos" not in handler.path:
            time.sleep(0.8)
        answer(handler)

    server.answers = [slowly]
    url = f"http://127.0.0.1:{server.port}/feed.csv"
    assert run(shop, server, "sync", url, "--json").json["added"] == 2
    limit = {"IMAGE_SEARCH_FETCH_FEED_TIMEOUT_S": "0.2"}
    assert "not received within 0.2 seconds" in run(shop, server, "sync", url, **limit).err


def test_a_feed_at_a_url_is_synced_on_a_file_system_without_links(
    shop: Shop, server: PhotoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Path) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refused)
    serves(server, HEADER + ROWS)
    url = f"http://127.0.0.1:{server.port}/feed.csv"
    assert run(shop, server, "sync", url, "--json").json["added"] == 2
    assert run(shop, server, "sync", url, "--json").json["unchanged"] == 2


def test_a_photo_at_a_url_is_no_feed(shop: Shop, server: PhotoServer) -> None:
    server.answers = [reply(png("red"))]
    ran = run(shop, server, "add", f"http://127.0.0.1:{server.port}/red.png")
    assert (ran.code, "seems to be a photo" in ran.err) == (1, True)


def test_downloads_of_a_week_ago_are_deleted(shop: Shop, server: PhotoServer) -> None:
    serves(server, HEADER + ROWS)
    host, kept = f"http://127.0.0.1:{server.port}", shop.data_dir / ".feeds"
    assert run(shop, server, "sync", f"{host}/feed.csv?signature=1").code == 0
    before = set(kept.iterdir())
    for path in before:
        os.utime(path, (0, 0))
    assert run(shop, server, "sync", f"{host}/feed.csv?signature=2").code == 0
    assert len(set(kept.iterdir())) == len(before) == 2
    assert before.isdisjoint(kept.iterdir())


def test_copies_that_a_killed_command_left_are_deleted(shop: Shop) -> None:
    left, recent = (shop.data_dir / ".feeds" / f"reading-{name}" for name in ("old", "new"))
    for folder in (left, recent):
        folder.mkdir(parents=True)
    os.utime(left, (0, 0))
    shop.photo("a.png", "red")
    assert shop.run("add", "-", stdin="id,image_link\na,a.png\n").code == 0
    assert list((shop.data_dir / ".feeds").iterdir()) == [recent]

"""Photo servers that are down, seen from the command line: what does not need them goes on."""

import json
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Lock

import pytest

from tests.conftest import png
from tests.indexer.cli.conftest import Ran, Shop, grey
from tests.photo_server import Handler, PhotoServer, reply, running
from tests.processes import start

pytestmark = pytest.mark.slow

PRODUCTS = 30


@pytest.fixture
def server() -> Iterator[PhotoServer]:
    """Gives each path a photo of its own colour."""
    with running(PhotoServer()) as server:
        server.answers = [drawn]
        yield server


def drawn(handler: Handler) -> None:
    reply(png(grey(int(handler.path.strip("/").partition(".")[0]))))(handler)


def unavailable(handler: Handler) -> None:
    reply(b"", 503)(handler)


def unused_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def feed(shop: Shop, port: int, numbers: range, price: str = "5.00 EUR") -> Path:
    """A feed whose photos are on a server."""
    rows = [f"p{n},http://127.0.0.1:{port}/{n}.png,{price}" for n in numbers]
    file = shop.folder / "web.csv"
    file.write_text("\n".join(["id,image_link,price", *rows]) + "\n")
    return file


def run(shop: Shop, port: int, *arguments: object, max_age: str = "none", **settings: str) -> Ran:
    environ = {
        "IMAGE_SEARCH_FETCH_ALLOWED_HOSTS": f"127.0.0.1:{port}",
        "IMAGE_SEARCH_FETCH_MAX_AGE": max_age,
        **settings,
    }
    return shop.run(*arguments, **environ)


def stop(server: PhotoServer) -> None:
    """Connections to it are refused from now on."""
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("command", ["add", "sync"])
def test_prices_change_while_the_photo_server_is_down(
    shop: Shop, server: PhotoServer, command: str
) -> None:
    numbers = range(PRODUCTS)
    assert run(shop, server.port, "add", feed(shop, server.port, numbers)).code == 0
    before = shop.products()
    server.answers = [unavailable]
    started = time.monotonic()
    cheaper = feed(shop, server.port, numbers, "4.00 EUR")
    ran = run(shop, server.port, command, cheaper, "--json")
    assert time.monotonic() - started < 10
    assert (ran.code, ran.json["updated"], ran.json["rejected"]) == (0, PRODUCTS, 0)
    after = shop.products()
    assert {product.attributes["price"] for product in after.values()} == {4}
    assert {p: product.images for p, product in after.items()} == {
        p: product.images for p, product in before.items()
    }
    (down,) = ran.json["hosts_down"]
    assert down["host"] == f"127.0.0.1:{server.port}"
    assert "returned 503" in down["reason"]
    assert (down["photos"], down["kept"]) == (PRODUCTS, PRODUCTS)


def test_a_price_change_asks_for_no_photo_that_was_downloaded_lately(
    shop: Shop, server: PhotoServer
) -> None:
    numbers = range(PRODUCTS)
    assert run(shop, server.port, "add", feed(shop, server.port, numbers)).code == 0
    assert len(server.requests) == PRODUCTS
    cheaper = feed(shop, server.port, numbers, "4.00 EUR")
    ran = run(shop, server.port, "sync", cheaper, "--json", max_age="20h")
    assert (ran.code, ran.json["updated"], len(server.requests)) == (0, PRODUCTS, PRODUCTS)
    run(shop, server.port, "sync", cheaper, "--refresh-photos", max_age="20h")
    assert len(server.requests) == 2 * PRODUCTS


def test_a_cached_photo_is_used_for_a_new_product_while_its_server_is_down(
    shop: Shop, server: PhotoServer
) -> None:
    assert run(shop, server.port, "add", feed(shop, server.port, range(3))).code == 0
    assert run(shop, server.port, "remove", "p0").code == 0
    server.answers = [unavailable]
    again = feed(shop, server.port, range(3))
    ran = run(shop, server.port, "add", again, "--json")
    (down,) = ran.json["hosts_down"]
    assert (ran.code, ran.json["added"]) == (0, 1)
    assert (down["photos"], down["kept"], down["cached"]) == (3, 2, 1)
    run(shop, server.port, "remove", "p1")
    assert "kept as stored: 2, from the cache: 1;" in run(shop, server.port, "add", again).out


def test_photos_are_downloaded_side_by_side_within_the_limit_of_a_host(
    shop: Shop, server: PhotoServer
) -> None:
    lock, running, most = Lock(), 0, 0

    def slow(handler: Handler) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.03)
        with lock:
            running -= 1
        drawn(handler)

    server.answers = [slow]
    limit = {"IMAGE_SEARCH_FETCH_PER_HOST": "3"}
    ran = run(shop, server.port, "add", feed(shop, server.port, range(12)), "--json", **limit)
    assert (ran.json["added"], most) == (12, 3)


def test_downloads_that_overtake_each_other_are_reported_in_the_order_of_the_feed(
    shop: Shop, server: PhotoServer
) -> None:
    def some(handler: Handler) -> None:
        number = int(handler.path.strip("/").partition(".")[0])
        time.sleep(0.02 * (number % 3))
        (reply(b"", 404) if number % 2 else drawn)(handler)

    server.answers = [some]
    ran = run(shop, server.port, "add", feed(shop, server.port, range(12)), "--json")
    rejected = [each["product_id"] for each in ran.json["rejections"]]
    assert rejected == [f"p{n}" for n in range(1, 12, 2)]
    assert list(shop.products()) == sorted(f"p{n}" for n in range(0, 12, 2))


def test_a_server_that_is_down_is_left_alone_and_told_of_in_one_line(shop: Shop) -> None:
    port = unused_port()
    started = time.monotonic()
    ran = run(shop, port, "add", feed(shop, port, range(PRODUCTS)))
    assert time.monotonic() - started < 10
    assert ran.code == 3
    lines = [line for line in ran.out.splitlines() if f"127.0.0.1:{port}" in line]
    assert len(lines) == 1
    assert f"photos not read: {PRODUCTS}, kept as stored: 0" in lines[0]
    assert len(ran.out.splitlines()) == 2


def test_every_new_product_of_a_server_that_is_down_is_rejected_with_the_reason(
    shop: Shop, server: PhotoServer
) -> None:
    assert run(shop, server.port, "add", feed(shop, server.port, range(3))).code == 0
    server.answers = [unavailable]
    asked = len(server.requests)
    rows = feed(shop, server.port, range(PRODUCTS), "4.00 EUR")
    ran = run(shop, server.port, "add", rows, "--json")
    assert (ran.code, ran.json["updated"], ran.json["added"]) == (3, 3, 0)
    rejected = {each["product_id"]: each["reason"] for each in ran.json["rejections"]}
    assert set(rejected) == {f"p{n}" for n in range(3, PRODUCTS)}
    assert all(f"127.0.0.1:{server.port}: " in reason for reason in rejected.values())
    assert len(server.requests) - asked <= 8 * 3 * 3  # at once, tries, failures; not every photo


def test_a_dry_run_tells_of_a_server_that_is_down_as_the_run_does(
    shop: Shop, server: PhotoServer
) -> None:
    assert run(shop, server.port, "add", feed(shop, server.port, range(PRODUCTS))).code == 0
    server.answers = [unavailable]
    rows = feed(shop, server.port, range(PRODUCTS + 2), "4.00 EUR")
    planned = run(shop, server.port, "sync", rows, "--dry-run", "--json").json
    done = run(shop, server.port, "sync", rows, "--json").json
    counts = ("added", "updated", "removed", "unchanged", "rejected", "embedded", "hosts_down")
    assert [planned[name] for name in counts] == [done[name] for name in counts]
    assert (planned["updated"], planned["rejected"]) == (PRODUCTS, 2)


def test_a_server_that_fails_for_a_moment_is_tried_again(shop: Shop, server: PhotoServer) -> None:
    server.answers = [*(unavailable,) * 4, drawn]  # each of the readers hears it once
    ran = run(shop, server.port, "add", feed(shop, server.port, range(PRODUCTS)), "--json")
    assert (ran.code, ran.json["added"], ran.json["hosts_down"]) == (0, PRODUCTS, [])


def test_one_server_that_is_down_does_not_keep_the_photos_of_another_out(
    shop: Shop, server: PhotoServer
) -> None:
    gone = unused_port()
    rows = ["id,image_link"]
    for number in range(PRODUCTS):
        port = (server.port, gone)[number % 2]
        rows.append(f"p{number},http://127.0.0.1:{port}/{number}.png")
    file = shop.folder / "web.csv"
    file.write_text("\n".join(rows) + "\n")
    hosts = f"127.0.0.1:{server.port},127.0.0.1:{gone}"
    ran = shop.run("add", file, "--json", IMAGE_SEARCH_FETCH_ALLOWED_HOSTS=hosts)
    assert (ran.json["added"], ran.json["rejected"]) == (PRODUCTS // 2, PRODUCTS // 2)
    assert [each["host"] for each in ran.json["hosts_down"]] == [f"127.0.0.1:{gone}"]


def test_ctrl_c_does_not_wait_for_a_server_that_accepts_and_never_answers(shop: Shop) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        rows = feed(shop, port, range(PRODUCTS))
        process = start(
            *("-m", "tests.processes", "add", str(rows), "--json"),
            data_dir=shop.data_dir,
            settings={"IMAGE_SEARCH_FETCH_ALLOWED_HOSTS": f"127.0.0.1:{port}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        try:
            silent.settimeout(60)
            connected, _ = silent.accept()
            process.send_signal(signal.SIGINT)
            started = time.monotonic()
            out, err = process.communicate(timeout=30)
            assert time.monotonic() - started < 8  # 1 second, on a machine with nothing to do
            connected.close()
        finally:
            process.kill()
            process.communicate()
    assert process.returncode == 130
    assert json.loads(out)["error"]["code"] == "interrupted"
    assert "Traceback" not in err.decode()

"""The service beside the command line, both as real processes: changes show while clients ask."""

import csv
import json
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from indexer.store.embedded.catalog import Catalog
from tests.conftest import png
from tests.processes import Reply, Service, ask, cli, upload, wait_for

VISIBLE_S = 1.0
ODD_ID = "Café/38 % ✓"


@dataclass
class Shop:
    """A merchant's folder: photos, a feed of them, and the catalogue that the service reads."""

    folder: Path
    service: Service

    @property
    def data_dir(self) -> Path:
        return self.folder / "data"

    def cli(self, *arguments: str) -> Any:
        """Runs the real command line; the one document on its stdout."""
        done = cli(*arguments, "--json", data_dir=self.data_dir)
        assert done.code == 0, done.err
        return json.loads(done.out)

    def feed(self, **products: tuple[str, float]) -> str:
        """A feed of products with the colour of their photo and their price."""
        path = self.folder / "feed.csv"
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(["id", "image_link", "price"])
            for number, (product_id, (colour, price)) in enumerate(products.items()):
                photo = self.folder / f"{number}-{colour}.png"
                photo.write_bytes(png(colour))
                writer.writerow([product_id, photo.name, price])
        return str(path)


@pytest.fixture(scope="module")
def shop(gunicorn_service: Service) -> Shop:
    return Shop(gunicorn_service.log.parent, gunicorn_service)


@dataclass
class Watch:
    """When the catalogue reached each `seq`, when an answer first showed it, and all answers."""

    committed: dict[int, float] = field(default_factory=dict)
    shown: dict[int, float] = field(default_factory=dict)
    replies: list[Reply] = field(default_factory=list)
    faults: list[Exception] = field(default_factory=list)


@contextmanager
def watching(shop: Shop) -> Iterator[Watch]:
    """Searches in loops, by photo and by product, and looks for commits."""
    watch, stop = Watch(), threading.Event()
    url = shop.service.url

    def look(catalog: Catalog) -> None:
        while not stop.wait(0.005):
            with catalog.reader() as reader:
                watch.committed.setdefault(reader.seq, time.monotonic())

    def search(query: Any) -> None:
        while not stop.wait(0.05):
            try:
                reply = query()
                watch.replies.append(reply)
                watch.shown.setdefault(reply.json["seq"], time.monotonic())
            except Exception as fault:
                watch.faults.append(fault)

    catalog = Catalog(shop.data_dir / "default")
    with ThreadPoolExecutor() as pool:
        pool.submit(look, catalog)
        pool.submit(search, lambda: upload(url, png("red")))
        pool.submit(search, lambda: ask(url, "/v1/products/stays/similar"))
        try:
            yield watch
            newest = max(watch.committed)
            wait_for(lambda: newest in watch.shown, "showing the newest state", seconds=5)
        finally:
            stop.set()
    catalog.close()


def test_a_catalogue_that_comes_after_the_service_is_picked_up(shop: Shop) -> None:
    assert upload(shop.service.url, png("red")).json["total"] == 0
    report = shop.cli("add", shop.feed(stays=("navy", 1), **{ODD_ID: ("teal", 2)}))
    assert (report["added"], report["embedded"]) == (2, 2)
    found = upload(shop.service.url, png("navy")).json
    assert found["total"] == 2
    assert found["results"][0]["product_id"] == "stays"
    assert found["results"][0]["score"] == pytest.approx(1, abs=1e-3)
    by_command = shop.cli("search", "--product", "stays")
    by_http = ask(shop.service.url, "/v1/products/stays/similar").json
    assert by_command["results"][1:] == by_http["results"]


@pytest.mark.parametrize("target", [quote(ODD_ID, safe=""), "Caf%c3%a9/38%20%25%20%e2%9c%93"])
def test_odd_ids_pass_through_a_real_server(shop: Shop, target: str) -> None:
    assert ask(shop.service.url, f"/v1/products/{target}").json["product_id"] == ODD_ID
    similar = ask(shop.service.url, f"/v1/products/{target}/similar").json
    assert [result["product_id"] for result in similar["results"]] == ["stays"]


def test_changes_show_within_a_second_of_their_commit_and_no_search_fails(shop: Shop) -> None:
    url = shop.service.url

    def product() -> Reply:
        return ask(url, "/v1/products/new")

    with watching(shop) as watch:
        shop.cli("add", shop.feed(new=("red", 10)))
        assert product().json["attributes"]["price"] == 10
        shop.cli("add", shop.feed(new=("navy", 12)))  # a photo that is known: no model to load
        changed = product().json
        assert changed["attributes"]["price"] == 12
        assert ask(url, changed["images"][0]["image_url"]).body == png("navy")
        shop.cli("remove", "new")
        assert product().status == 404
        assert "new" not in str(upload(url, png("red")).json["results"])
    assert watch.faults == []
    assert {reply.status for reply in watch.replies} == {200}
    assert len(watch.replies) > 50
    assert len(watch.committed) >= 4  # the state before, and after each of three changes
    for seq, committed in watch.committed.items():
        shown = min(at for later, at in watch.shown.items() if later >= seq)
        assert shown - committed < VISIBLE_S, f"seq {seq}"


def test_a_removed_product_is_not_in_an_answer_of_a_later_state(shop: Shop) -> None:
    with watching(shop) as watch:
        shop.cli("remove", ODD_ID)
        with Catalog(shop.data_dir / "default").reader() as reader:
            gone = reader.seq
    later = [reply.json for reply in watch.replies if reply.json["seq"] >= gone]
    assert later
    for answer in later:
        assert ODD_ID not in {result["product_id"] for result in answer["results"]}


def test_sigterm_ends_the_service_cleanly_within_seconds(shop: Shop) -> None:
    started = time.monotonic()
    shop.service.process.send_signal(signal.SIGTERM)
    assert shop.service.process.wait(timeout=10) == 0
    assert time.monotonic() - started < 5
    assert "Traceback" not in shop.service.log.read_text()

"""The Python client, against the running service."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import islice
from pathlib import Path

import pytest

from product_search import (
    Answer,
    ChangedError,
    Client,
    Operation,
    ProblemError,
    Result,
    UnreachableError,
)
from tests.clients.conftest import COLOURS, Shop
from tests.conftest import png

Draw = Callable[[str, object], Path]


def test_a_photo_may_be_a_path_or_bytes(client: Client, draw: Draw) -> None:
    path = draw("photo.png", "red")
    for photo in (path, str(path), path.read_bytes()):
        answer = client.search(photo, limit=3)
        first = answer.results[0]
        assert (answer.total, len(answer.results)) == (len(COLOURS), 3)
        assert first.product_id == "shoe/red"
        assert first.score == pytest.approx(1, abs=1e-5)
        assert first.attributes["price"] == 9.5


def test_a_box_may_be_numbers_or_text(client: Client) -> None:
    box = (0, 0, 0.5, 1e-1)
    for answer in (
        client.search(png("red"), box=box),
        client.search(png("red"), box="0,0,0.5,0.1"),
        *client.batch([{"photo": png("red"), "box": box}]),
    ):
        assert isinstance(answer, Answer)
        assert answer.box == pytest.approx(box, abs=0.05)


@pytest.mark.parametrize("key", ["se\ncret", "secret\n", "sé-cret", "se cret"])
def test_a_key_that_cannot_be_sent_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(ValueError, match="the API key contains") as refused:
        Client("http://localhost:8000", key=key)
    assert "cret" not in str(refused.value)


@pytest.mark.parametrize("url", ["localhost:8000", "//localhost", "ftp://localhost", ""])
def test_a_url_without_a_scheme_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="must start with http:// or https://"):
        Client(url)


def test_several_photos_find_what_is_like_any_of_them(client: Client) -> None:
    answer = client.search(png("red"), png("navy"), limit=2)
    assert {result.product_id for result in answer.results} == {"shoe/red", "shoe/navy"}


def test_products_like_a_product_leave_it_out(client: Client) -> None:
    answer = client.similar("shoe/red", limit=2, min_score=-1)
    assert "shoe/red" not in {result.product_id for result in answer.results}


def test_every_result_of_all_pages_comes_once(client: Client) -> None:
    found = [result.product_id for result in client.every(png("teal"), limit=3)]
    assert sorted(found) == sorted(f"shoe/{colour}" for colour in COLOURS)
    assert found == [r.product_id for r in client.search(png("teal"), limit=200).results]
    assert len(list(client.every_similar("shoe/red", limit=4, offset=2))) == len(COLOURS) - 3
    assert len(list(islice(client.every(png("teal"), limit=1), 2))) == 2


@pytest.mark.parametrize(
    "pages",
    [
        lambda client: client.every_similar("shoe/red", limit=3),
        lambda client: client.every(png("red"), limit=3),
    ],
    ids=["similar", "photo"],
)
def test_a_change_between_two_pages_is_told(
    client: Client, pages: Callable[[Client], Iterator[Result]]
) -> None:
    results = pages(client)
    read = [next(results).product_id for _ in range(3)]
    before = client.similar("shoe/red").seq
    client.put_product("between", {}, [png("red")])
    try:
        with pytest.raises(ChangedError, match=f"from seq {before} to") as changed:
            next(results)
        assert (changed.value.first, changed.value.now) == (before, client.similar("shoe/red").seq)
        again = [result.product_id for result in pages(client)]
    finally:
        client.delete_product("between")
    assert len(set(again)) == len(again) >= len(COLOURS)
    assert set(read) <= set(again)


def test_pictures_have_whole_addresses(client: Client, shop: Shop) -> None:
    result = client.search(png("red"), limit=1).results[0]
    assert result.image_url.startswith(f"{shop.url}/v1/images/")
    assert client.product("shoe/red").images[0].image_url == result.image_url


def test_a_refusal_is_an_error_with_a_code(client: Client, shop: Shop) -> None:
    with pytest.raises(ProblemError, match="no product 'none'") as problem:
        client.similar("none")
    assert (problem.value.status, problem.value.code) == (404, "unknown_product")
    with pytest.raises(ProblemError) as problem:
        client.search(b"no picture")
    assert problem.value.code == "unsupported_format"
    with Client(shop.url) as stranger, pytest.raises(ProblemError) as problem:
        stranger.similar("shoe/red")
    assert problem.value.code == "unauthorized"


@pytest.mark.parametrize("product_id", ["new", "a/b c", "ä?#%2F", "..", "."])
def test_a_product_is_put_changed_found_and_removed(client: Client, product_id: str) -> None:
    put = client.put_product(product_id, {"title": "New", "price": "5 EUR"}, [png("magenta")])
    assert (put.outcome, put.product_id) == ("added", product_id)
    assert client.search(png("magenta"), limit=1).results[0].product_id == product_id
    assert client.patch_product(product_id, {"title": None}).outcome == "updated"
    assert client.product(product_id).attributes == {"price": 5, "currency": "EUR"}
    assert client.delete_product(product_id).outcome == "removed"
    with pytest.raises(ProblemError):
        client.product(product_id)


def test_many_changes_are_told_one_by_one(client: Client) -> None:
    changes = list(
        client.change_products(
            [
                {"op": "put", "product_id": "x", "images": [png("pink")]},
                {"op": "patch", "product_id": "none", "attributes": {"title": "?"}},
                {"op": "delete", "product_id": "x"},
            ]
        )
    )
    assert [change.outcome for change in changes] == ["added", "failed", "removed"]
    assert changes[1].code == "unknown_product"


def test_changes_go_in_as_many_requests_as_their_size_takes(client: Client) -> None:
    # A PNG may end in anything: these are of 7 MB each, 9.3 in base64.
    photos = {name: png(name) + bytes(7_000_000) for name in ("red", "blue", "green", "gold")}
    put: list[Operation] = [
        {"op": "put", "product_id": f"big/{n}", "images": [p]} for n, p in photos.items()
    ]
    assert [c.outcome for c in client.change_products(put)] == ["added"] * 4
    answers = list(client.batch({"photo": p, "limit": 1} for p in photos.values()))
    assert all(isinstance(answer, Answer) for answer in answers)
    removed = client.change_products({"op": "delete", "product_id": f"big/{n}"} for n in photos)
    assert [change.outcome for change in removed] == ["removed"] * 4


@pytest.mark.parametrize("address", ["https://shop.example/a.jpg", "HTTP://shop.example/a.jpg"])
def test_an_address_beside_other_photos_is_refused(client: Client, address: str) -> None:
    for photos in ((address, png("red")), (png("red"), address), (address, address)):
        with pytest.raises(ValueError, match="only photo"):
            client.search(*photos)
        with pytest.raises(ValueError, match="only photo"):
            next(client.every(*photos))


def test_events_are_taken(client: Client) -> None:
    answer = client.search(png("red"), limit=2)
    client.send_event(answer.query_id, answer.results[0].product_id, "click")
    client.send_events((answer.query_id, r.product_id, "cart") for r in answer.results)
    with pytest.raises(ProblemError):
        client.send_event("no query id", "shoe/red", "click")


def test_a_batch_answers_each_query(client: Client, shop: Shop) -> None:
    if not shop.can("/v1/search/batch"):
        pytest.skip("this service takes no batches")
    good, bad, photo = client.batch(
        [{"product_id": "shoe/red"}, {"product_id": "none"}, {"photo": png("navy"), "limit": 1}]
    )
    assert isinstance(good, Answer)
    assert isinstance(bad, ProblemError)
    assert bad.code == "unknown_product"
    assert isinstance(photo, Answer)
    assert photo.results[0].product_id == "shoe/navy"


def test_filters_and_facets_go_both_ways(client: Client, shop: Shop) -> None:
    if not shop.can("/v1/search/batch"):  # they came together
        pytest.skip("this service has no filters")
    answer = client.search(
        png("red"), filter=["price<=10", "title:Red,Navy"], facets=["title", "price"]
    )
    assert answer.total == 2
    assert {value.value: value.count for value in answer.facets["title"]} == {"Red": 1, "Navy": 1}
    assert client.similar("shoe/red", filter=["title:Navy"], facets=["title"]).total == 1


# --- a service that is busy ---------------------------------------------------------------


@contextmanager
def answering(*answers: tuple[int, str | None]) -> Iterator[tuple[str, list[str]]]:
    """A server with these answers, status and Retry-After, the last one for ever."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, wait = answers[min(len(asked), len(answers) - 1)]
            asked.append(self.path)
            self.send_response(status)
            if wait is not None:
                self.send_header("Retry-After", wait)
            self.end_headers()
            self.wfile.write(b'{"images": [], "product_id": "a", "collection": "b"')
            self.wfile.write(b', "attributes": {}, "code": "overloaded", "detail": "busy"}')

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_busy_service_is_asked_again_after_as_long_as_it_says() -> None:
    with answering((503, "0"), (429, "0"), (200, None)) as (url, asked), Client(url) as client:
        assert client.product("a").product_id == "a"
    assert len(asked) == 3


def test_it_is_not_asked_for_ever() -> None:
    with (
        answering((503, "0")) as (url, asked),
        Client(url, retries=2) as client,
        pytest.raises(ProblemError) as problem,
    ):
        client.product("a")
    assert (len(asked), problem.value.code, problem.value.retry_after) == (3, "overloaded", 0)


def test_a_wait_beyond_patience_is_left_to_the_caller() -> None:
    with (
        answering((503, "60")) as (url, asked),
        Client(url, patience_s=1) as client,
        pytest.raises(ProblemError) as problem,
    ):
        client.product("a")
    assert (len(asked), problem.value.retry_after) == (1, 60)


def test_other_refusals_are_final() -> None:
    with (
        answering((500, "0")) as (url, asked),
        Client(url) as client,
        pytest.raises(ProblemError),
    ):
        client.product("a")
    assert len(asked) == 1


def test_no_service_is_an_error_too() -> None:
    with Client("http://127.0.0.1:9") as client, pytest.raises(UnreachableError):
        client.product("a")


def test_threads_share_a_client(client: Client) -> None:
    found: list[str] = []

    def search(colour: str) -> None:
        found.append(client.search(png(colour), limit=1).results[0].product_id)

    threads = [threading.Thread(target=search, args=(colour,)) for colour in COLOURS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == sorted(f"shoe/{colour}" for colour in COLOURS)


def test_all_products_are_listed_over_all_pages(client: Client) -> None:
    listed = list(client.products(filter=["price<10"]))
    assert [product.product_id for product in listed] == sorted(f"shoe/{c}" for c in COLOURS)
    assert listed[0] == client.product(listed[0].product_id)
    assert listed[0].images[0].thumbnail_url.startswith("http")

"""Beyond what it can answer the service says so at once, and loses nothing it has taken."""

import base64
import io
import itertools
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image

from indexer.arrays import Vectors
from indexer.config import ServiceSettings
from indexer.embedding.base import Maps, PixelBatch
from indexer.search import Searcher
from tests.conftest import Store, png
from tests.fakes import GatedEmbedder, PoolingEmbedder
from tests.processes import FAKE, Reply, ask, gunicorn, multipart, wait_for
from tests.processes import upload as from_outside
from tests.service.conftest import serving
from tests.service.contract import check_problem
from tests.service.queries import upload


def search(client: FlaskClient, colour: str) -> int:
    return int(upload(client, png(colour)).status_code)


@pytest.mark.parametrize(
    "own",
    [ServiceSettings(max_in_flight=1), ServiceSettings(max_wait_s=1e-9)],
    ids=["in flight", "wait"],
)
def test_a_photo_beyond_the_limit_is_refused_while_those_before_it_are_answered(
    store: Store, own: ServiceSettings
) -> None:
    store.add(store.row("red", "red"))
    embedder = GatedEmbedder()
    with (
        serving(store.catalog.folder.parent, load=lambda _: embedder, own=own) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        taken = pool.submit(search, client.application.test_client(), "red")
        wait_for(lambda: embedder.waiting, "reaching the model")
        refused = upload(client, png("green"))
        assert (refused.status_code, refused.json["code"]) == (503, "overloaded")
        check_problem(refused.json)
        assert int(refused.headers["Retry-After"]) >= 1
        assert client.get("/healthz").status_code == 200
        embedder.gate.set()
        assert taken.result() == 200
        assert search(client, "green") == 200


def test_products_are_found_while_the_model_is_busy(store: Store) -> None:
    store.add(store.row("red", "red"), store.row("salmon", "salmon"))
    embedder = GatedEmbedder()
    own = ServiceSettings(max_wait_s=1e-9)
    with (
        serving(store.catalog.folder.parent, load=lambda _: embedder, own=own) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        taken = pool.submit(search, client.application.test_client(), "red")
        wait_for(lambda: embedder.waiting, "reaching the model")
        found = client.get("/v1/products/red/similar").get_json()
        assert [result["product_id"] for result in found["results"]] == ["salmon"]
        embedder.gate.set()
        assert taken.result() == 200


def test_photos_are_searched_beside_as_many_searches_by_product_as_are_taken(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.add(store.row("red", "red"))
    gate, waiting = threading.Event(), itertools.count(1)
    begun = [0]
    by_product = Searcher.by_product

    def held(*args: Any, **options: Any) -> Any:
        begun[0] = next(waiting)
        assert gate.wait(20)
        return by_product(*args, **options)

    own = ServiceSettings(max_in_flight=2)
    with serving(store.catalog.folder.parent, own=own) as client, ThreadPoolExecutor(4) as pool:
        monkeypatch.setattr(Searcher, "by_product", held)  # the start searches, too
        app = client.application
        similar = "/v1/products/red/similar"
        taken = [pool.submit(app.test_client().get, similar) for _ in range(4)]
        wait_for(lambda: begun[0] == 4, "searching")
        refused = client.get(similar)
        found = search(client, "red")
        gate.set()
        assert (refused.status_code, refused.get_json()["code"]) == (503, "overloaded")
        assert found == 200
        assert [search.result().status_code for search in taken] == [200] * 4


def test_two_batches_are_answered_at_once(store: Store) -> None:
    store.add(store.row("red", "red"))
    embedder = GatedEmbedder()
    folder = store.catalog.folder.parent
    with serving(folder, load=lambda _: embedder) as client, ThreadPoolExecutor(2) as pool:
        app = client.application

        def send(colour: str) -> Any:
            query = {"image_base64": base64.b64encode(png(colour)).decode()}
            return app.test_client().post("/v1/search/batch", json={"queries": [query]})

        batcher = app.extensions["search"].embedder("default").batcher
        taken = [pool.submit(send, "red")]
        wait_for(lambda: embedder.waiting, "reaching the model")
        taken.append(pool.submit(send, "navy"))
        wait_for(lambda: batcher.waiting, "queueing")
        refused = send("green")
        embedder.gate.set()
        assert (refused.status_code, refused.json["code"]) == (503, "overloaded")
        assert int(refused.headers["Retry-After"]) >= 1
        assert [answer.result().status_code for answer in taken] == [200] * 2


def test_changes_that_wait_for_a_writer_leave_the_service_free(
    store: Store, tmp_path: Path
) -> None:
    store.add(store.row("red", "red"))

    def change(base: str) -> Reply:
        body, headers = b'{"attributes":{"price":"9 EUR"}}', {"Content-Type": "application/json"}
        return ask(base, "/v1/products/red", method="PATCH", body=body, headers=headers)

    with (
        gunicorn(store.catalog.folder.parent, tmp_path / "log", FAKE) as service,
        ThreadPoolExecutor(60) as clients,
    ):
        with store.catalog.writer():
            sent = [clients.submit(change, service.url) for _ in range(60)]
            wait_for(lambda: sum(one.done() for one in sent) >= 50, "refusing", 4)
            refused = [one.result() for one in sent if one.done()]
            assert ask(service.url, "/healthz").status == 200
            assert from_outside(service.url, png("red")).status == 200
            assert ask(service.url, "/v1/products/red/similar").status == 200
            waiting = [one for one in sent if not one.done()]
            assert waiting, "all were refused"
        assert {reply.status for reply in refused} == {503}
        for reply in refused:
            check_problem(reply.json)
            assert reply.json["code"] == "overloaded"
            assert int(reply.headers["Retry-After"]) >= 1
        assert {one.result().status for one in waiting} == {200}


def test_a_photo_that_does_not_get_its_turn_in_time_is_given_up(store: Store) -> None:
    embedder = GatedEmbedder()
    own = ServiceSettings(deadline_s=0.05)
    with serving(store.catalog.folder.parent, load=lambda _: embedder, own=own) as client:
        late = upload(client, png("red"))
        assert (late.status_code, late.json["code"]) == (503, "deadline_exceeded")
        assert int(late.headers["Retry-After"]) >= 1
        embedder.gate.set()
        assert search(client, "red") == 200


class SlowEmbedder(PoolingEmbedder):
    """Takes its time for each pass, more for a larger photo, and knows when two overlap."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()
        self.log: list[str] = []
        self._one = threading.Lock()

    def embed_batch(self, images: PixelBatch) -> Vectors:
        with self._pass("embed", images):
            return super().embed_batch(images)

    def activations(self, images: PixelBatch) -> Maps:
        with self._pass("look", images):
            return super().activations(images)

    @contextmanager
    def _pass(self, kind: str, images: PixelBatch) -> Iterator[None]:
        # An embedding of this fake looks at the photo as well.
        nested = self._one.locked() and self.log[-1] == "embed" and kind == "look"
        if nested or not images.any():
            yield
            return
        assert self._one.acquire(blocking=False), "two passes at once"
        try:
            self.log.append(kind)
            assert self.gate.wait(20)
            time.sleep(0.06 * images[..., 0].size / 80**2)
            yield
        finally:
            self._one.release()


def noise(number: int) -> bytes:
    """A photo that no one has sent before."""
    colours = np.random.default_rng(number).integers(0, 256, (9, 9, 3)).astype(np.uint8)
    return saved(Image.fromarray(colours).resize((180, 180), Image.Resampling.NEAREST))


def saved(photo: Image.Image) -> bytes:
    file = io.BytesIO()
    photo.save(file, "PNG")
    return file.getvalue()


@contextmanager
def slow(tmp_path: Path, **own: Any) -> Iterator[tuple[SlowEmbedder, FlaskClient]]:
    store = Store(tmp_path / "slow", PoolingEmbedder())
    store.add(store.row("red", "red"), store.row("navy", "navy"))
    embedder = SlowEmbedder()
    folder = store.catalog.folder.parent
    settings = ServiceSettings(**own)
    with serving(folder, load=lambda _: embedder, own=settings) as client:
        embedder.log.clear()
        yield embedder, client
    store.catalog.close()


@pytest.mark.slow
def test_photos_are_answered_beside_a_client_that_sends_one_box_auto_after_the_other(
    tmp_path: Path,
) -> None:
    done = threading.Event()

    def locate(client: FlaskClient) -> list[int]:
        sent = itertools.takewhile(lambda _: not done.is_set(), itertools.count())
        return [upload(client, noise(1000 + n), box="auto").status_code for n in sent]

    with slow(tmp_path) as (embedder, client), ThreadPoolExecutor(1) as pool:
        locating = pool.submit(locate, client.application.test_client())
        wait_for(lambda: embedder.log, "locating")
        answers = [upload(client, noise(n)).status_code for n in range(20)]
        done.set()
        located = locating.result()
    assert answers == [200] * 20
    assert set(located) == {200}


@pytest.mark.slow
def test_a_photo_goes_between_the_passes_of_box_auto(tmp_path: Path) -> None:
    with slow(tmp_path) as (embedder, client), ThreadPoolExecutor(2) as pool:
        embedder.gate.clear()
        app = client.application
        located = pool.submit(upload, app.test_client(), noise(1), box="auto")
        wait_for(lambda: embedder.log == ["look"], "the first pass of box=auto")
        plain = pool.submit(upload, app.test_client(), noise(2))
        batcher = app.extensions["search"].embedder("default").batcher
        wait_for(lambda: batcher.waiting, "queueing")
        embedder.gate.set()
        assert plain.result().status_code == located.result().status_code == 200
    assert embedder.log[:3] == ["look", "embed", "look"]


@pytest.mark.slow
def test_box_auto_and_explanations_have_a_share_of_their_own(tmp_path: Path) -> None:
    explanation = {"product_id": "red", "result": "navy"}
    with slow(tmp_path, max_in_flight=4) as (embedder, client), ThreadPoolExecutor(2) as pool:
        embedder.gate.clear()
        app = client.application
        located = pool.submit(upload, app.test_client(), noise(1), box="auto")
        wait_for(lambda: embedder.log, "reaching the model")
        refused = upload(client, noise(2), box="auto")
        assert (refused.status_code, refused.json["code"]) == (503, "overloaded")
        assert client.post("/v1/explain", json=explanation).status_code == 503
        plain = pool.submit(upload, app.test_client(), noise(3))
        embedder.gate.set()
        assert plain.result().status_code == located.result().status_code == 200
        assert client.post("/v1/explain", json=explanation).status_code == 200


@pytest.mark.parametrize("target", ["/v1/search", "/v1/%73earch"])
def test_a_real_server_refuses_at_the_door_and_answers_what_it_took(
    store: Store, tmp_path: Path, target: str
) -> None:
    store.add(store.row("red", "red"))
    settings = {"IMAGE_SEARCH_SERVICE_MAX_IN_FLIGHT": "1"}
    photos = [png((number, 0, 0), size=(600, 600)) for number in range(60)]

    def send(photo: bytes) -> Reply:
        body, content_type = multipart(photo)
        headers = {"Content-Type": content_type}
        return ask(service.url, target, method="POST", body=body, headers=headers)

    with (
        gunicorn(store.catalog.folder.parent, tmp_path / "log", FAKE, settings) as service,
        ThreadPoolExecutor(16) as clients,
    ):
        replies = list(clients.map(send, photos))
        assert ask(service.url, "/healthz").status == 200
        counted = ask(service.url, "/metrics").body.decode()
    statuses = [reply.status for reply in replies]
    refused = [reply for reply in replies if reply.status == 503]
    assert set(statuses) == {200, 503}
    for reply in refused:
        check_problem(reply.json)
        assert reply.json["code"] == "overloaded"
        assert int(reply.headers["Retry-After"]) >= 1
        assert reply.headers["X-Request-ID"]
    # A few get past the door, in the share of those that turn out to be costly.
    at_the_door = [reply for reply in refused if "Access-Control-Allow-Origin" in reply.headers]
    assert len(at_the_door) > len(refused) / 2
    assert {reply.headers["Access-Control-Allow-Origin"] for reply in at_the_door} == {"*"}
    assert f'requests_total{{endpoint="search",status="503"}} {len(refused)}.0' in counted

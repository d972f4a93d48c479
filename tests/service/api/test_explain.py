"""Searching with `box=auto`, and why a product is a result."""

import base64
import io
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image

from indexer.config import FetchSettings
from indexer.embedding.photos import AutoBox
from indexer.errors import UnsupportedFormatError
from indexer.fetch.cache import PhotoCache
from indexer.fetch.download import Download
from indexer.images import ImageLimits
from indexer.store import NewImage, PutProduct
from service.engine.batching import Batcher
from service.engine.query_embedder import QueryEmbedder
from service.errors import DeadlineError
from tests.conftest import Store, png
from tests.fakes import FakeEmbedder, PoolingEmbedder
from tests.photo_server import PhotoServer, dripping, reply, running
from tests.service.conftest import serving

MODEL = PoolingEmbedder()


def scene() -> bytes:
    """A red thing in the upper left of many colours."""
    colours = np.random.default_rng(0).integers(0, 256, (10, 9, 3)).astype(np.uint8)
    photo = Image.fromarray(colours).resize((360, 400), Image.Resampling.NEAREST)
    photo.paste("red", (20, 20, 130, 150))
    file = io.BytesIO()
    photo.save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = Store(tmp_path_factory.mktemp("shop"), PoolingEmbedder())
    gone = store.row("gone", "olive")
    store.add(store.row("red", "blue", "red"), store.row("navy", "navy"), gone)
    Path(gone.images[0].location).unlink()
    yield store
    store.catalog.close()


@pytest.fixture(scope="module")
def client(shop: Store) -> Iterator[FlaskClient]:
    with serving(shop.catalog.folder.parent, load=lambda _: PoolingEmbedder()) as client:
        yield client


def send(client: FlaskClient, path: str, photo: bytes, **fields: object) -> Any:
    files = {"image": (io.BytesIO(photo), "photo.png")}
    return client.post(path, data={**fields, **files}, content_type="multipart/form-data")


def test_the_collection_of_an_explanation_may_be_in_the_url(client: FlaskClient) -> None:
    query = {"product_id": "red", "result": "red"}
    answer = client.post("/v1/explain?collection=none", json=query)
    assert (answer.status_code, answer.json and answer.json["code"]) == (404, "unknown_collection")
    answer = client.post("/v1/explain?collection=default", json=query)
    assert answer.status_code == 200


def test_a_search_with_box_auto_answers_with_the_box_that_it_took(client: FlaskClient) -> None:
    found = send(client, "/v1/search", scene(), box="auto").get_json()
    assert found["results"][0]["product_id"] == "red"
    x1, y1, x2, y2 = found["box"]
    assert x1 < 75 / 360 < x2
    assert y1 < 85 / 400 < y2
    assert found["took_ms"]["embed"] > 0
    part = f"{x1},{y1},{x2},{y2}"
    again = send(client, "/v1/search", scene(), box=part).get_json()
    assert again["results"] == found["results"]
    assert again["box"] == found["box"]


def test_an_answer_tells_of_a_photo_that_auto_left_whole(client: FlaskClient) -> None:
    assert send(client, "/v1/search", png("red"), box="auto").get_json()["box"] is None
    assert "box" not in send(client, "/v1/search", scene()).get_json()


def test_the_photo_of_a_result_that_matched_best_is_explained(client: FlaskClient) -> None:
    searched = send(client, "/v1/search", scene()).get_json()
    answer = send(client, "/v1/explain", scene(), result="red").get_json()
    result = next(row for row in searched["results"] if row["product_id"] == "red")
    assert answer["score"] == pytest.approx(result["score"], abs=1e-6)
    assert answer["result"]["image"] == result["image"] == "red-1.png"
    assert answer["result"]["image_url"] == result["image_url"]
    rows = np.array(answer["query"]["rows"])
    assert rows.shape == (8, 8)
    assert rows[:4, :4].max() == 1 > rows[5:].max()


def test_the_explained_part_of_a_photo_is_the_one_that_was_searched_with(
    client: FlaskClient,
) -> None:
    searched = send(client, "/v1/search", scene(), box="auto").get_json()
    answer = send(client, "/v1/explain", scene(), result="red", box="auto").get_json()
    assert answer["query"]["box"] == searched["box"]
    assert answer["score"] == searched["results"][0]["score"]
    left = send(client, "/v1/explain", scene(), result="red", box="0,0,0.3,1").get_json()
    assert left["query"]["box"] == [0, 0, 0.3, 1]


def test_a_query_may_be_a_product_or_a_photo_in_json(client: FlaskClient) -> None:
    product = {"product_id": "red", "result": "red"}
    answer = client.post("/v1/explain", json=product).get_json()
    assert answer["score"] == pytest.approx(1)
    assert answer["query"] == answer["result"]
    photo = base64.b64encode(scene()).decode()
    by_json = client.post("/v1/explain", json={"image_base64": photo, "result": "red"})
    assert by_json.get_json() == send(client, "/v1/explain", scene(), result="red").get_json()


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({"product_id": "red", "result": "none"}, 404, "unknown_product"),
        ({"product_id": "none", "result": "red"}, 404, "unknown_product"),
        ({"product_id": "red", "result": "gone"}, 404, "unknown_image"),
        ({"product_id": "gone", "result": "red"}, 404, "unknown_image"),
        ({"product_id": "red"}, 400, "bad_parameter"),
        ({"result": "red"}, 400, "bad_request"),
        ({"product_id": "red", "image_base64": "", "result": "red"}, 400, "bad_request"),
        ({"image_base64": "", "result": "red"}, 400, "image_empty"),
        ({"image_base64": "AAAA", "result": "red"}, 415, "unsupported_format"),
        ({"product_id": "red", "result": "red", "limit": 3}, 400, "bad_parameter"),
        ({"product_id": "red", "result": "red", "collection": "b"}, 404, "unknown_collection"),
        ([], 400, "bad_request"),
    ],
)
def test_what_cannot_be_explained_is_a_problem(
    client: FlaskClient, query: object, status: int, code: str
) -> None:
    response = client.post("/v1/explain", json=query)
    assert (response.status_code, response.get_json()["code"]) == (status, code)


def test_an_upload_that_cannot_be_explained_is_a_problem(client: FlaskClient) -> None:
    for fields, code in (({}, "bad_parameter"), ({"result": "red", "box": "x"}, "bad_parameter")):
        response = send(client, "/v1/explain", scene(), **fields)
        assert (response.status_code, response.get_json()["code"]) == (400, code)
    empty = client.post("/v1/explain", data={"result": "red"}, content_type="multipart/form-data")
    assert (empty.status_code, empty.get_json()["code"]) == (400, "bad_request")
    assert client.post("/v1/explain", data="red").status_code == 415


def test_what_stands_in_the_place_of_an_indexed_photo_is_not_explained(tmp_path: Path) -> None:
    store = Store(tmp_path, PoolingEmbedder())
    store.add(store.row("red", "red"), store.row("navy", "navy"))
    Path(store.photos, "navy-0.png").write_bytes(png("green"))
    with serving(store.catalog.folder.parent, load=lambda _: PoolingEmbedder()) as client:
        response = client.post("/v1/explain", json={"product_id": "red", "result": "navy"})
        assert (response.status_code, response.get_json()["code"]) == (404, "unknown_image")
    store.catalog.close()


@pytest.fixture
def server() -> Iterator[PhotoServer]:
    with running(PhotoServer()) as server:
        server.answers = [reply(png("red"))]
        yield server


@contextmanager
def web_shop(
    folder: Path, url: str, allowed: str, photo: bytes = b""
) -> Iterator[tuple[Store, FlaskClient]]:
    """A service over a product `web` whose photo is at a URL, and hosts that `fetch` allows."""
    store = Store(folder, PoolingEmbedder())
    store.add(store.row("red", "red"))
    vector = MODEL.embed([Image.new("RGB", (9, 9), "red")])[0]
    digest = sha256(photo or png("red")).hexdigest()
    with store.catalog.writer() as writer:
        writer.put([PutProduct("web", {}, (NewImage(url, url, digest, vector),))])
    settings = FetchSettings(allowed_hosts=[allowed] if allowed else [], timeout_s=2)
    data_dir = store.catalog.folder.parent
    with serving(data_dir, load=lambda _: PoolingEmbedder(), fetch=settings) as client:
        yield store, client
    store.catalog.close()


def test_a_photo_on_the_web_is_explained(tmp_path: Path, server: PhotoServer) -> None:
    host = f"127.0.0.1:{server.port}"
    with web_shop(tmp_path, f"HTTP://{host}/a.png", host) as (_, client):
        answer = client.post("/v1/explain", json={"product_id": "red", "result": "web"})
        assert answer.status_code == 200
        assert np.array(answer.get_json()["result"]["rows"]).max() == 1
        assert send(client, "/v1/explain", png("red"), result="web").status_code == 200


def test_a_photo_that_was_kept_is_explained_without_asking_its_server(
    tmp_path: Path, server: PhotoServer
) -> None:
    url = f"http://photos.example:{server.port}/a.png"
    with web_shop(tmp_path, url, "") as (store, client):
        cache = PhotoCache(store.catalog.folder.parent / ".photos", 2**20)
        cache.store(url, Download(png("red"), url, '"1"', None))
        answer = send(client, "/v1/explain", png("red"), result="web")
    assert (answer.status_code, server.requests) == (200, [])


def test_a_photo_on_a_private_address_is_not_fetched_for_an_explanation(
    tmp_path: Path, server: PhotoServer
) -> None:
    with web_shop(tmp_path, f"http://127.0.0.1:{server.port}/a.png", "") as (_, client):
        response = send(client, "/v1/explain", png("red"), result="web")
    assert (response.status_code, response.get_json()["code"]) == (404, "unknown_image")
    assert server.requests == []


def test_a_photo_on_the_web_that_is_another_one_now_is_not_explained(
    tmp_path: Path, server: PhotoServer
) -> None:
    host = f"127.0.0.1:{server.port}"
    with web_shop(tmp_path, f"http://{host}/a.png", host, png("blue")) as (_, client):
        response = send(client, "/v1/explain", png("red"), result="web")
    assert (response.status_code, response.get_json()["code"]) == (404, "unknown_image")
    assert "not the one that was indexed" in response.get_json()["detail"]


@pytest.mark.slow
def test_a_slow_photo_server_holds_up_two_explanations_and_no_more(
    tmp_path: Path, server: PhotoServer
) -> None:
    host = f"127.0.0.1:{server.port}"
    server.answers = [dripping]
    with web_shop(tmp_path, f"http://{host}/a.png", host) as (_, client):

        def ask(_: int) -> int:
            own = client.application.test_client()
            query = {"product_id": "red", "result": "web"}
            return own.post("/v1/explain", json=query).status_code

        with ThreadPoolExecutor(6) as pool:
            assert set(pool.map(ask, range(6))) == {404, 503}
    assert len(server.requests) < 6


class Asked:
    """`QueryEmbedder`, and how often it asked what a product is."""

    def __init__(self, deadline_s: float = 20) -> None:
        self.batcher = Batcher(PoolingEmbedder())
        self.photos = QueryEmbedder(self.batcher, ImageLimits(), 10, deadline_s)
        self.asked = 0

    def products(self) -> Any:
        self.asked += 1
        return MODEL.embed([Image.new("RGB", (9, 9), "red")])

    def box(self, photo: bytes) -> Any:
        return self.photos.embed([photo], AutoBox(self.products)).box


def test_a_photo_that_comes_again_keeps_its_box() -> None:
    asked = Asked()
    assert asked.box(scene()) == asked.box(scene()) is not None
    assert asked.box(png("red")) is asked.box(png("red")) is None
    assert asked.asked == 2
    asked.batcher.stop()


@pytest.mark.parametrize("path", ["/v1/search", "/v1/explain"])
def test_a_photo_is_decoded_once_with_box_auto_too(
    shop: Store, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[int] = []
    really = Image.open

    def counted(file: Any, *arguments: Any, **options: Any) -> Any:
        opened.append(len(file.getvalue()) if isinstance(file, io.BytesIO) else 0)
        return really(file, *arguments, **options)

    photo, whole = scene(), png("teal", (77, 50))
    fields = {"box": "auto", **({"result": "red"} if path == "/v1/explain" else {})}
    with serving(shop.catalog.folder.parent, load=lambda _: PoolingEmbedder()) as client:
        monkeypatch.setattr(Image, "open", counted)
        assert send(client, "/v1/search", whole).status_code == 200
        assert send(client, path, photo, **fields).status_code == 200
    assert opened.count(len(photo)) == opened.count(len(whole)) > 0


def test_a_photo_that_is_none_is_an_error_and_the_next_one_is_located() -> None:
    asked = Asked()
    with pytest.raises(UnsupportedFormatError):
        asked.box(b"no photo")
    assert asked.box(scene())
    asked.batcher.stop()


def test_a_photo_that_waits_too_long_for_the_model_is_given_up() -> None:
    asked = Asked(deadline_s=0.05)
    gate = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        busy = pool.submit(asked.batcher.run_when_idle, gate.wait, time.perf_counter() + 20)
        with pytest.raises(DeadlineError):
            asked.box(scene())
        gate.set()
        busy.result()
    asked.batcher.stop()


def test_what_the_model_cannot_do_is_refused_with_a_code(store: Store) -> None:
    store.add(store.row("red", "red"), store.row("navy", "navy"))
    embedder = FakeEmbedder()
    embedder.cells = None
    with serving(store.catalog.folder.parent, load=lambda _: embedder) as client:
        refused = [
            send(client, "/v1/search", scene(), box="auto"),
            send(client, "/v1/explain", scene(), result="red"),
            client.post("/v1/explain", json={"product_id": "navy", "result": "red"}),
        ]
        for answer in refused:
            assert (answer.status_code, answer.json["code"]) == (409, "unsupported_by_model")
        assert send(client, "/v1/search", scene()).status_code == 200

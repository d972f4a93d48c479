"""Beyond what it can answer the service says so at once, and loses nothing it has taken."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from indexer.config import ServiceSettings
from tests.conftest import Store, png
from tests.processes import FAKE, ask, gunicorn, wait_for
from tests.processes import upload as from_outside
from tests.service.conftest import serving
from tests.service.test_api import upload
from tests.service.test_photos import GatedEmbedder
from tests.service.test_problems import check_problem


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
        wait_for(lambda: embedder.waiting, "reaching the network")
        refused = upload(client, png("green"))
        assert (refused.status_code, refused.json["code"]) == (503, "overloaded")
        check_problem(refused.json)
        assert int(refused.headers["Retry-After"]) >= 1
        assert client.get("/healthz").status_code == 200
        embedder.gate.set()
        assert taken.result() == 200
        assert search(client, "green") == 200


def test_products_are_found_while_the_network_is_busy(store: Store) -> None:
    store.add(store.row("red", "red"), store.row("salmon", "salmon"))
    embedder = GatedEmbedder()
    own = ServiceSettings(max_wait_s=1e-9)
    with (
        serving(store.catalog.folder.parent, load=lambda _: embedder, own=own) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        taken = pool.submit(search, client.application.test_client(), "red")
        wait_for(lambda: embedder.waiting, "reaching the network")
        found = client.get("/v1/products/red/similar").get_json()
        assert [result["product_id"] for result in found["results"]] == ["salmon"]
        embedder.gate.set()
        assert taken.result() == 200


def test_a_photo_that_does_not_get_its_turn_in_time_is_given_up(store: Store) -> None:
    embedder = GatedEmbedder()
    own = ServiceSettings(deadline_s=0.05)
    with serving(store.catalog.folder.parent, load=lambda _: embedder, own=own) as client:
        late = upload(client, png("red"))
        assert (late.status_code, late.json["code"]) == (503, "deadline_exceeded")
        assert int(late.headers["Retry-After"]) >= 1
        embedder.gate.set()
        assert search(client, "red") == 200


def test_a_real_server_refuses_at_the_door_and_answers_what_it_took(
    store: Store, tmp_path: Path
) -> None:
    store.add(store.row("red", "red"))
    settings = {"IMAGE_SEARCH_SERVICE_MAX_IN_FLIGHT": "1"}
    photos = [png((number, 0, 0), size=(600, 600)) for number in range(60)]
    with (
        gunicorn(store.catalog.folder.parent, tmp_path / "log", FAKE, settings) as service,
        ThreadPoolExecutor(16) as clients,
    ):
        replies = list(clients.map(lambda photo: from_outside(service.url, photo), photos))
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
        assert reply.headers["Access-Control-Allow-Origin"] == "*"
    assert f'requests_total{{endpoint="search",status="503"}} {len(refused)}.0' in counted

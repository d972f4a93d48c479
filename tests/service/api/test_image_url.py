"""`image_url`: a request never makes the service ask what only the service can reach."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from indexer.config import Settings
from service import create_app
from service.api.search import JsonQuery
from service.engine.collections import SearchService
from tests.conftest import Store, png
from tests.fakes import FakeEmbedder
from tests.photo_server import NOT_PUBLIC, PhotoServer, reply, running, to
from tests.processes import wait_for

pytestmark = pytest.mark.skipif(
    "image_url" not in JsonQuery.model_fields, reason="queries cannot name photos by address"
)
NAME, OTHER = "photos.example", "other.example"
# host -> what its name server answers, in turn, the last one for ever
Names = dict[str, list[list[str]]]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """What name servers say of names that are in it; addresses stay what they are."""
    known: Names = {}
    really = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *args: Any, **options: Any) -> list[Any]:
        answers = known.get(host)
        if answers is None:
            return really(host, port, *args, **options)
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return known


@pytest.fixture
def server() -> Iterator[PhotoServer]:
    """A photo server in the shop's own network."""
    with running(PhotoServer()) as server:
        server.answers = [reply(png("navy"))]
        yield server


Ask = Callable[[str], tuple[int, dict[str, Any]]]


@contextmanager
def asking(store: Store, *hosts: str, allowed: tuple[str, ...] = ()) -> Iterator[Ask]:
    """Asks a service that fetches from these hosts, of which some may be internal."""
    settings = Settings.model_validate(
        {
            "storage": {"data_dir": store.catalog.folder.parent},
            "service": {"image_url_hosts": hosts},
            "fetch": {"allowed_hosts": allowed, "timeout_s": 3},
        }
    )
    service = SearchService(settings, lambda _: FakeEmbedder())
    client = create_app(settings, search=service).test_client()
    service.start()
    wait_for(lambda: service.states()[0].status == "ready", "opening")

    def ask(url: str) -> tuple[int, dict[str, Any]]:
        response = client.post("/v1/search", json={"image_url": url})
        return response.status_code, response.get_json()

    try:
        yield ask
    finally:
        service.stop()


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_a_named_host_with_an_address_that_is_not_public_is_refused(
    store: Store, names: Names, address: str
) -> None:
    names[NAME] = [["8.8.8.8", address]]
    with asking(store, NAME) as ask:
        status, problem = ask(f"https://{NAME}/a.jpg")
    assert (status, problem["code"]) == (400, "fetch_failed")
    assert "not on the public internet" in problem["detail"]
    assert address not in problem["detail"]  # nobody learns our network by asking


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "169.254.169.254", "127.1", "2130706433", "0x7f.0.0.1", "0"]
)
def test_an_address_in_the_url_is_no_way_in(store: Store, host: str) -> None:
    with asking(store, host, NAME) as ask:
        status, problem = ask(f"http://{host}/latest/meta-data")
    assert (status, problem["code"]) == (400, "fetch_failed")


def test_a_redirect_leads_to_named_hosts_only(
    store: Store, names: Names, server: PhotoServer
) -> None:
    own = f"{NAME}:{server.port}"
    names[NAME] = names[OTHER] = [["127.0.0.1"]]
    with asking(store, own, allowed=(own, f"{OTHER}:{server.port}")) as ask:
        for target in (f"http://{OTHER}:{server.port}/a", "http://169.254.169.254/", "file:///x"):
            server.answers = [to(target), reply(png("navy"))]
            status, problem = ask(f"http://{own}/a.jpg")
            assert (status, problem["code"]) == (400, "fetch_failed")
    assert len(server.requests) == 3


def test_a_redirect_to_a_named_host_that_is_inside_is_refused(
    store: Store, names: Names, server: PhotoServer
) -> None:
    own = f"{NAME}:{server.port}"
    names[NAME], names[OTHER] = [["127.0.0.1"]], [["10.0.0.1"]]
    server.answers = [to(f"http://{OTHER}/a.jpg")]
    with asking(store, own, OTHER, allowed=(own,)) as ask:
        status, problem = ask(f"http://{own}/a.jpg")
    assert (status, problem["code"]) == (400, "fetch_failed")
    assert "not on the public internet" in problem["detail"]


def test_a_name_that_changes_once_it_is_checked_leads_nowhere_else(
    store: Store, names: Names, server: PhotoServer
) -> None:
    own = f"{NAME}:{server.port}"
    names[NAME] = [["127.0.0.1"], ["169.254.169.254"]]
    with asking(store, own, allowed=(own,)) as ask:
        status, answer = ask(f"http://{own}/a.jpg")
    assert (status, answer["results"]) == (200, [])
    assert len(names[NAME]) == 1  # the next question would have had the other answer

"""A service that takes keys, as clients meet it."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from indexer.access.keys import Keys
from product_search import Client
from tests.conftest import Store
from tests.processes import ask, gunicorn

COLOURS = ("red", "crimson", "salmon", "orange", "gold", "green", "teal", "navy", "purple", "black")


@dataclass(frozen=True)
class Shop:
    """A service, and a key for all of it."""

    url: str
    key: str

    def can(self, path: str) -> bool:
        """Whether the service has such an endpoint."""
        return path in ask(self.url, "/openapi.json").json["paths"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    store = Store(tmp_path_factory.mktemp("shop"))
    store.add(*(store.row(f"shoe/{c}", c, title=c.title(), price=9.5) for c in COLOURS))
    store.catalog.close()
    data_dir = store.catalog.folder.parent
    _, key = Keys(data_dir).create(["admin"], "tests")
    with gunicorn(data_dir, data_dir / "log", "tests.processes:fake_app()") as service:
        yield Shop(service.url, key)


@pytest.fixture
def client(shop: Shop) -> Iterator[Client]:
    with Client(shop.url, key=shop.key) as client:
        yield client

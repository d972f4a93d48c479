"""Services to ask: Flask's client for most, a real server for the page, gunicorn for the rest."""

import colorsys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask.testing import FlaskClient

import tests.conftest
from indexer.config import (
    CollectionSettings,
    EmbeddingSettings,
    ServiceSettings,
    Settings,
    StorageSettings,
)
from indexer.config.section import Section
from indexer.embedding import Embedder
from indexer.feeds import FeedRow
from service import create_app
from service.engine.collections import SearchService
from tests.conftest import Store
from tests.fakes import FakeEmbedder
from tests.processes import FAKE, Service, address_of, gunicorn, wait_for
from tests.service.contract import DocumentedClient

MOST_BYTES = 20 * 1024 * 1024 * 4 // 3 + 65_536  # of the body of a request
# Product -> the colour of each of its photos.
COLOURS: Mapping[str, tuple[str, ...]] = {
    "red": ("red",),
    "crimson": ("crimson",),
    "salmon": ("salmon",),
    "navy": ("navy",),
    "green": ("green",),
    "two-tone": ("white", "mediumblue"),
    # Equal photos, so equal scores.
    "twin-b": ("gold",),
    "twin-a": ("gold",),
}
DEFAULT = ServiceSettings()
TITLES = {"red": "Red shoe", "two-tone": "White and blue"}


def rows(store: Store) -> Iterator[FeedRow]:
    for product_id, colours in COLOURS.items():
        yield store.row(product_id, *colours, title=TITLES.get(product_id, product_id), price=9.5)


@contextmanager
def serving(
    data_dir: Path,
    *names: str,
    load: Callable[[EmbeddingSettings], Embedder] = lambda _: FakeEmbedder(),
    own: ServiceSettings = DEFAULT,
    wait: bool = True,
    create: bool = True,
    **sections: Section,
) -> Iterator[FlaskClient]:
    """A client of a service over `default` and the collections of these names.

    It is past its start, unless `wait` is off. Catalogues that are not there are made, unless
    `create` is off. Other settings come as sections.
    """
    for name in ("default", *names) if create else ():
        if tests.conftest.milvus_of or not (data_dir / name / "catalog.db").exists():
            tests.conftest.opened(data_dir / name).close()
    settings = Settings.model_validate(
        {
            "storage": StorageSettings(data_dir=data_dir),
            "service": own,
            **_backend(data_dir),
            "collections": {name: CollectionSettings() for name in names},
            **sections,
        }
    )
    service = SearchService(settings, load)
    app = create_app(settings, search=service)
    app.test_client_class = DocumentedClient
    service.start()
    try:
        if wait:
            wait_for(lambda: all(s.status != "starting" for s in service.states()), "opening")
        yield app.test_client()
    finally:
        service.stop()


def _backend(data_dir: Path) -> dict[str, object]:
    """The settings of the backend that --backend names."""
    if tests.conftest.milvus_of is None:
        return {}
    return {"index": {"backend": "milvus"}, "milvus": tests.conftest.milvus_of(data_dir)}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A catalogue of `COLOURS`. Tests of a module share it: they only read."""
    store = Store(tmp_path_factory.mktemp("shop"))
    store.add(*rows(store))
    yield store
    store.catalog.close()


@pytest.fixture(scope="module")
def client(shop: Store) -> Iterator[FlaskClient]:
    """A client of a service over `shop`."""
    with serving(shop.catalog.folder.parent) as client:
        yield client


@pytest.fixture(scope="session")
def live_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real server over 72 products of all hues, with a fake model."""
    store = Store(tmp_path_factory.mktemp("live"))
    store.add(*(_hue(store, number) for number in range(72)))
    store.catalog.close()
    log = store.photos.parent / "log"
    with gunicorn(store.catalog.folder.parent, log, FAKE) as service:
        _, port = address_of(service.url)
        yield f"http://localhost:{port}"  # the name by which browsers call it secure


def _hue(store: Store, number: int) -> FeedRow:
    channels = colorsys.hsv_to_rgb(number / 72, 0.6 + 0.4 * (number % 2), 0.9)
    return store.row(
        f"hue/{number:02}",
        tuple(round(255 * channel) for channel in channels),
        title=f"Jumper {number}",
        brand=("Acme", "Globex", "Initech")[number % 3],
        price=20 + number,
        currency="EUR",
        in_stock=number % 5 != 0,
    )


@pytest.fixture(scope="module")
def gunicorn_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """gunicorn with the real model, untrained; its catalogue is empty at first."""
    folder = tmp_path_factory.mktemp("gunicorn")
    with gunicorn(folder / "data", folder / "log") as service:
        yield service


@pytest.fixture
def own(store: Store) -> Iterator[FlaskClient]:
    """A client of a service over `store`, which the test may change."""
    with serving(store.catalog.folder.parent) as client:
        yield client

"""Services that grant access by keys, over two products."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from indexer.access.keys import Keys, Scope
from indexer.config import AccessSettings, ServiceSettings
from tests.conftest import Store
from tests.service.conftest import serving

SIMILAR = "/v1/products/red/similar"
HERE, ANYWHERE = "127.0.0.1", "0.0.0.0"
Serve = Callable[..., FlaskClient]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = Store(tmp_path_factory.mktemp("photos"))
    store.add(store.row("red", "red"), store.row("navy", "navy"))
    yield store
    store.catalog.close()


@contextmanager
def opened(data_dir: Path, host: str = HERE, **access: Any) -> Iterator[FlaskClient]:
    own = ServiceSettings(host=host)
    with serving(data_dir, own=own, access=AccessSettings(**access)) as client:
        yield client


@pytest.fixture
def keys(photos: Store) -> Iterator[Keys]:
    """No keys at first, and none left for the next test."""
    keys = Keys(photos.catalog.folder.parent)
    yield keys
    keys.path.unlink(missing_ok=True)


@pytest.fixture
def serve(photos: Store) -> Iterator[Serve]:
    """Starts services over one catalogue, and stops them at the end of the test."""
    running = []

    def start(**options: Any) -> FlaskClient:
        context = opened(photos.catalog.folder.parent, **options)
        running.append(context)
        return context.__enter__()

    yield start
    for context in running:
        context.__exit__(None, None, None)


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


def make(keys: Keys, *scopes: Scope) -> Mapping[str, str]:
    return bearer(keys.create(scopes, "test")[1])


def limited(client: FlaskClient, **headers: str) -> list[int]:
    return [client.get(SIMILAR, headers=headers).status_code for _ in range(4)]

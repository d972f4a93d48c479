"""A service whose products the tests change."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from indexer.store import Product
from indexer.store.embedded.catalog import Catalog
from tests.conftest import Store, opened, png
from tests.processes import multipart
from tests.service.conftest import serving


@pytest.fixture
def client(store: Store) -> Iterator[FlaskClient]:
    with serving(store.catalog.folder.parent, "shoes") as client:
        yield client


def photo(colour: object) -> str:
    return base64.b64encode(png(colour)).decode()


def put(client: FlaskClient, product_id: str, *colours: object, **attributes: Any) -> Any:
    body = {"attributes": attributes, "images": [photo(colour) for colour in colours]}
    return client.put(f"/v1/products/{product_id}", json=body)


def search(client: FlaskClient, colour: object, **fields: object) -> Any:
    body, content_type = multipart(png(colour), **fields)
    return client.post("/v1/search", data=body, content_type=content_type).json


def stored(store: Store) -> dict[str, Product]:
    """What another process finds on disk."""
    catalog: Catalog = opened(store.catalog.folder)
    with catalog.reader() as reader:
        products = reader.products(reader.product_ids())
    catalog.close()
    return products


def kept(store: Store) -> list[Path]:
    return sorted((store.catalog.folder / "photos").rglob("*.*"))


def patch(client: FlaskClient, **changes: Any) -> Any:
    return client.patch("/v1/products/boot", json={"attributes": changes}).json


RED = {"images": [photo("red")]}


def bulk(client: FlaskClient, *operations: object) -> Any:
    return client.post("/v1/products/bulk", json=list(operations)).json

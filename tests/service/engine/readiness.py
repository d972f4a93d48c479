"""What `/readyz` says of collections."""

from pathlib import Path
from typing import Any

from flask.testing import FlaskClient

from indexer.store.embedded.catalog import Catalog
from tests.conftest import Store
from tests.processes import multipart

READY: dict[str, Any] = {
    "name": "default",
    "status": "ready",
    "detail": "",
    "products": 0,
    "seq": 0,
    "weights": "fake",
    "trained": True,
    "photo_search": True,
}


def readiness(client: FlaskClient) -> tuple[int, dict[str, Any]]:
    response = client.get("/readyz")
    assert response.json is not None
    return response.status_code, response.json


def search(client: FlaskClient, photo: bytes, **fields: object) -> Any:
    body, content_type = multipart(photo, **fields)
    return client.post("/v1/search", data=body, content_type=content_type)


def products_of(response: Any) -> list[str]:
    return [result["product_id"] for result in response.json["results"]]


def reason(client: FlaskClient) -> tuple[int, str, str]:
    """The answer of `/readyz` for a service of one collection."""
    code, document = readiness(client)
    (state,) = document["collections"]
    assert document["status"] == state["status"]
    return code, state["status"], state["detail"]


def make_catalogue(data_dir: Path, *colours: str) -> Catalog:
    """Adds a product of each colour, as another process would."""
    store = Store(data_dir.parent / f"photos of {'-'.join(colours)}")
    store.catalog.close()
    store.catalog = Catalog(data_dir / "default", create=True)
    store.add(*(store.row(colour, colour) for colour in colours))
    return store.catalog

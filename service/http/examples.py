"""Examples of documents, for the OpenAPI document."""

from pydantic import ConfigDict
from pydantic.config import JsonDict

_PHOTO = "/v1/images/7?collection=default&hash=6f1c7d2e9a0b4c3d"
RESULT: JsonDict = {
    "product_id": "boot-7",
    "score": 0.903,
    "distance": 0.097,
    "image": "photos/boot-7.jpg",
    "image_url": _PHOTO,
    "thumbnail_url": f"{_PHOTO}&width=320",
    "attributes": {"title": "Ankle boot", "price": 89.9, "currency": "EUR", "in_stock": True},
}
ANSWER: JsonDict = {
    "query_id": "9f1b6c0e4d5a4f0bb6f0c1d2e3f4a5b6",
    "collection": "default",
    "seq": 1204,
    "total": 317,
    "took_ms": {"decode": 4.1, "queue": 0.1, "embed": 7.8, "search": 1.5},
    "results": [RESULT],
    "next": "WzEyMDQsMTAsIjI0YmFlOWEzYzU0YjFlMDIiXQ",
}
QUERY: JsonDict = {"product_id": "boot-7", "limit": 10, "filter": ["price<=80", "in_stock:true"]}
CHANGE: JsonDict = {
    "product_id": "boot-7",
    "collection": "default",
    "seq": 1205,
    "outcome": "updated",
}
EVENT: JsonDict = {"query_id": ANSWER["query_id"], "product_id": "boot-7", "action": "click"}
PROBLEM: JsonDict = {
    "type": "/problems#unknown_product",
    "title": "Unknown product",
    "status": 404,
    "detail": "there is no product 'boot-8' in this collection",
    "instance": "/problems?request=5f0c9f8a7e",
    "code": "unknown_product",
}


def example(document: JsonDict) -> ConfigDict:
    """Returns the configuration of a model with an example."""
    return ConfigDict(json_schema_extra={"examples": [document]})

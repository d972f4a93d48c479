"""Ways to send a query, and what to look at in the answer."""

import base64
from typing import Any

from flask.testing import FlaskClient

from tests.processes import multipart

Json = dict[str, Any]


def upload(client: FlaskClient, *photos: bytes, url: str = "/v1/search", **fields: object) -> Any:
    # As a browser writes it; Flask's client leaves out a line break after an empty field.
    body, content_type = multipart(*photos, **fields)
    return client.post(url, data=body, content_type=content_type)


def by_json(client: FlaskClient, **fields: object) -> Any:
    return client.post("/v1/search", json=fields)


def by_base64(client: FlaskClient, photo: bytes, **fields: object) -> Any:
    return by_json(client, image_base64=base64.b64encode(photo).decode(), **fields)


def by_data_url(client: FlaskClient, photo: bytes, **fields: object) -> Any:
    text = f"data:image/png;base64,{base64.b64encode(photo).decode()}"
    return by_json(client, image_base64=text, **fields)


def similar(client: FlaskClient, product_id: str, **parameters: object) -> Any:
    return client.get(f"/v1/products/{product_id}/similar", query_string=parameters)


def ids(document: Json) -> list[str]:
    return [result["product_id"] for result in document["results"]]


def ranking(document: Json) -> list[tuple[str, float]]:
    return [(result["product_id"], result["score"]) for result in document["results"]]

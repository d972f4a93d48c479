"""Requests that are refused, with the status and the code of the answer."""

import base64
import gzip
import io
from collections.abc import Callable
from typing import Any

from flask.testing import FlaskClient

from tests.conftest import png
from tests.processes import multipart
from tests.service.conftest import MOST_BYTES

Send = Callable[[FlaskClient], Any]


def post(**options: Any) -> Send:
    return lambda client: client.post("/v1/search", **options)


def form(*photos: bytes, **fields: object) -> dict[str, Any]:
    return text(*multipart(*photos, **fields))


def text(body: bytes | str, content_type: str = "application/json") -> dict[str, Any]:
    return {"data": body, "content_type": content_type}


def latin(*photos: bytes, **fields: object) -> dict[str, Any]:
    """A form whose fields are not UTF-8."""
    body, content_type = multipart(*photos, **fields)
    return text(body.replace("\xfc".encode(), b"\xfc"), content_type)


GZIP = {"Content-Encoding": "gzip"}
SIMILAR = "/v1/products/red/similar"


def get(path: str) -> Send:
    return lambda client: client.get(path)


IMAGE = base64.b64encode(png("red")).decode()
BY_ID, EVENT = {"product_id": "red"}, {"query_id": "0" * 32, "product_id": "red", "action": "click"}
REFUSED: dict[str, tuple[Send, int, str]] = {
    "no such path": (get("/v1/nothing"), 404, "not_found"),
    "no such file of the page": (get("/static/nothing.js"), 404, "not_found"),
    "a file beside the page": (get("/static/..%2Fwsgi.py"), 404, "not_found"),
    "a doubled slash": (get("/v1//products/red"), 404, "not_found"),
    "no product id": (get("/v1/products/"), 404, "not_found"),
    "unknown product": (get("/v1/products/nothing"), 404, "unknown_product"),
    "similar to an unknown product": (get("/v1/products/no/similar"), 404, "unknown_product"),
    "search from an unknown product": (post(json={"product_id": "no"}), 404, "unknown_product"),
    "a product id that is no text": (post(json={"product_id": 5}), 400, "bad_parameter"),
    "a product id of half a character": (
        post(**text('{"product_id": "\\ud800"}')),
        404,
        "unknown_product",
    ),
    "a path in Latin-1": (get("/v1/products/gr%FC%DF"), 400, "bad_parameter"),
    "half of a letter in a path": (get("/v1/products/a%C3/similar"), 400, "bad_parameter"),
    "a query string in Latin-1": (get(f"{SIMILAR}?collection=%FC"), 400, "bad_parameter"),
    "a name in Latin-1": (get(f"{SIMILAR}?%FC=1"), 400, "bad_parameter"),
    "a field in Latin-1": (post(**latin(png("red"), filter="color:gr\xfcn")), 400, "bad_parameter"),
    "a field's name in Latin-1": (post(**latin(png("red"), grün="1")), 400, "bad_request"),
    "unknown image": (get("/v1/images/999999"), 404, "unknown_image"),
    "an image id beyond all numbers": (get(f"/v1/images/{'9' * 30}"), 404, "unknown_image"),
    "an image id of too many digits": (get(f"/v1/images/{'9' * 5000}"), 404, "not_found"),
    "a path as an image": (get("/v1/images/..%2F..%2Fetc%2Fpasswd"), 404, "not_found"),
    "an image id in digits of another script": (get("/v1/images/%D9%A1"), 404, "not_found"),
    "a negative image": (get("/v1/images/-1"), 404, "not_found"),
    "a path as a parameter": (get("/v1/images/1?path=/etc/passwd"), 400, "bad_parameter"),
    "a path as a collection": (get("/v1/images/1?collection=../x"), 404, "unknown_collection"),
    "unknown collection": (get("/v1/products/red?collection=no"), 404, "unknown_collection"),
    "similar in no collection": (
        get("/v1/products/red/similar?collection=no"),
        404,
        "unknown_collection",
    ),
    "search in no collection": (
        post(json={"product_id": "red", "collection": "no"}),
        404,
        "unknown_collection",
    ),
    "unknown parameter of a product": (get("/v1/products/red?limit=1"), 400, "bad_parameter"),
    "an unknown parameter of half a character": (
        post(**text('{"product_id": "red", "\\ud800": 1}')),
        400,
        "bad_parameter",
    ),
    "another method": (lambda client: client.delete("/v1/search"), 405, "method_not_allowed"),
    "a write to a product": (
        lambda client: client.post("/v1/products/red"),
        405,
        "method_not_allowed",
    ),
    "a body too large": (post(**text(bytes(MOST_BYTES + 1))), 413, "request_too_large"),
    "a form too large": (post(**form(bytes(MOST_BYTES + 1))), 413, "request_too_large"),
    "a field too large": (post(**form(png("red"), note="x" * 600_000)), 413, "request_too_large"),
    "a form of too many parts": (
        post(**form(**{f"field-{number}": number for number in range(1001)})),
        413,
        "request_too_large",
    ),
    "a photo too large": (post(**form(bytes(20 * 1024 * 1024 + 1))), 413, "image_too_large"),
    "no body": (post(), 415, "unsupported_media_type"),
    "plain text": (post(**text("red", "text/plain")), 415, "unsupported_media_type"),
    "a bare photo": (post(**text(png("red"), "image/png")), 415, "unsupported_media_type"),
    "no JSON": (post(**text("{")), 400, "bad_request"),
    "empty JSON": (post(**text("")), 400, "bad_request"),
    "JSON in no encoding": (post(**text(b'"\xff\xfe\xfa')), 400, "bad_request"),
    "JSON in gzip": (
        post(**text(gzip.compress(b'{"product_id": "red"}')), headers=GZIP),
        415,
        "unsupported_media_type",
    ),
    "a form in gzip": (
        post(**{**form(png("red")), "headers": GZIP}),
        415,
        "unsupported_media_type",
    ),
    "events in gzip": (
        lambda client: client.post("/v1/events", **text(gzip.compress(b"{}")), headers=GZIP),
        415,
        "unsupported_media_type",
    ),
    "a box of a product": (
        post(json={"product_id": "red", "box": "0,0,1,1"}),
        400,
        "bad_parameter",
    ),
    "auto of a product": (post(json={"product_id": "red", "box": "auto"}), 400, "bad_parameter"),
    "a box of products": (post(json={"more_like": ["red"], "box": "auto"}), 400, "bad_parameter"),
    "a box beside a product": (get(f"{SIMILAR}?box=auto"), 400, "bad_parameter"),
    "a box of an explained product": (
        lambda client: client.post(
            "/v1/explain", json={"product_id": "red", "result": "navy", "box": "auto"}
        ),
        400,
        "bad_parameter",
    ),
    "zipped JSON": (post(**text(gzip.compress(b"{}"))), 400, "bad_request"),
    "a JSON list": (post(json=[]), 400, "bad_request"),
    "deep JSON": (post(**text("[" * 15_000)), 400, "bad_request"),
    "deep JSON in an object": (post(**text('{"limit":' * 15_000)), 400, "bad_request"),
    "a long number": (post(**text(f'{{"limit": {"9" * 5000}}}')), 400, "bad_request"),
    "not a number": (post(**text('{"product_id":"red","limit":NaN}')), 400, "bad_parameter"),
    "a JSON query for nothing": (post(json={}), 400, "bad_request"),
    "a query for two things": (
        post(json={"product_id": "red", "image_base64": "AA=="}),
        400,
        "bad_request",
    ),
    "no base64": (post(json={"image_base64": "not base64!"}), 400, "bad_parameter"),
    "base64 of another alphabet": (post(json={"image_base64": "ж"}), 400, "bad_parameter"),
    "half a data URL": (post(json={"image_base64": "data:image/png"}), 400, "image_empty"),
    "base64 of nothing": (post(json={"image_base64": ""}), 400, "image_empty"),
    "base64 of no photo": (
        post(json={"image_base64": base64.b64encode(b"some text").decode()}),
        415,
        "unsupported_format",
    ),
    "a form without a photo": (post(data={"limit": 1}), 415, "unsupported_media_type"),
    "a form without a file": (
        post(data={"limit": 1}, content_type="multipart/form-data"),
        400,
        "bad_request",
    ),
    "a form without a boundary": (post(**text("x", "multipart/form-data")), 400, "bad_request"),
    "a form cut short": (
        post(
            **text(
                '--b\r\nContent-Disposition: form-data; name="i', "multipart/form-data; boundary=b"
            )
        ),
        400,
        "bad_request",
    ),
    "a photo as text": (
        post(data={"image": "text"}, content_type="multipart/form-data"),
        400,
        "bad_request",
    ),
    "a photo of another name": (
        lambda client: post(
            data={"photo": (io.BytesIO(png("red")), "p")}, content_type="multipart/form-data"
        )(client),
        400,
        "bad_parameter",
    ),
    "nine photos": (post(**form(*[png("red")] * 9)), 400, "bad_request"),
    "one bad photo of two": (post(**form(png("red"), b"text")), 415, "unsupported_format"),
}

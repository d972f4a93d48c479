"""Parameters of requests, with the names of the HTTP API."""

import base64
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict, TypeVar

T = TypeVar("T")
Photo = str | os.PathLike[str] | bytes
"""A photo: a path, the bytes of its file, or an http(s) URL."""

Action = Literal["click", "cart", "purchase", "dismiss"]


class Parameters(TypedDict, total=False):
    """Parameters of every search; see docs/queries.md of the service."""

    limit: int
    offset: int
    cursor: str
    min_score: float
    box: str | tuple[float, float, float, float]
    filter: Sequence[str]
    facets: Sequence[str]
    boost: Sequence[str]
    dedup: bool | float
    diversify: str
    group_by: str
    more_like: Sequence[str]
    less_like: Sequence[str]
    collection: str


class Query(Parameters, total=False):
    """One search of a batch: by a photo, by a product, or by `more_like` alone."""

    photo: Photo
    product_id: str


class Operation(TypedDict):
    """One of many changes. `put` takes images; `put` and `patch` take attributes."""

    op: Literal["put", "patch", "delete"]
    product_id: str
    attributes: NotRequired[Mapping[str, Any]]
    images: NotRequired[Sequence[Photo]]


def is_address(photo: Photo) -> bool:
    """Returns whether a photo is given as an http(s) URL."""
    return isinstance(photo, str) and photo.lower().startswith(("http://", "https://"))


def read(photo: Photo) -> bytes:
    """Returns the bytes of a photo that is not a URL."""
    return photo if isinstance(photo, bytes) else Path(photo).read_bytes()


def as_text(photo: Photo) -> str:
    """Converts a photo for a JSON body: URL or base64."""
    return str(photo) if is_address(photo) else base64.b64encode(read(photo)).decode()


def as_json(query: Mapping[str, Any]) -> dict[str, Any]:
    """Converts a query for a JSON body."""
    body = {key: list(v) if _is_many(v) else v for key, v in query.items() if key != "photo"}
    if _is_many(body.get("box")):
        body["box"] = _corners(body["box"])
    if "photo" in query:
        kind = "image_url" if is_address(query["photo"]) else "image_base64"
        body[kind] = as_text(query["photo"])
    return body


def as_fields(parameters: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Converts parameters for a form or a query string; lists become repeated names."""
    return [
        (name, str(value).lower() if isinstance(value, bool) else str(value))
        for name, given in parameters.items()
        for value in _values(name, given)
    ]


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yields lists of `size` items, the last one shorter."""
    left = iter(items)
    while some := list(islice(left, size)):
        yield some


def within(
    documents: Iterable[dict[str, Any]], max_count: int, max_bytes: int
) -> Iterator[list[dict[str, Any]]]:
    """Yields lists of up to `max_count` documents and `max_bytes` of JSON.

    A single document that is larger is alone in its list.
    """
    some: list[dict[str, Any]] = []
    held = 0
    for document in documents:
        size = len(json.dumps(document)) + 2  # with the separator
        if some and (len(some) == max_count or held + size > max_bytes):
            yield some
            some, held = [], 0
        some.append(document)
        held += size
    if some:
        yield some


def _values(name: str, given: Any) -> Iterable[Any]:
    if name == "box" and _is_many(given):
        return [_corners(given)]
    if name == "facets" and _is_many(given):
        return [",".join(given)] if given else []
    return given if _is_many(given) else [given]


def _corners(box: Iterable[float]) -> str:
    """Formats a box: comma-separated decimals without exponent."""
    return ",".join(f"{corner:.6f}" for corner in box)


def _is_many(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str | bytes)

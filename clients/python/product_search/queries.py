"""What can be asked, by the names of the HTTP API."""

import base64
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict, TypeVar

T = TypeVar("T")
Photo = str | os.PathLike[str] | bytes
"""A photo: a path, the bytes of its file, or an http(s) address."""

Action = Literal["click", "cart", "purchase", "dismiss"]


class Parameters(TypedDict, total=False):
    """Of every search. See docs/queries.md of the service."""

    limit: int
    offset: int
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
    """One change of many. `put` takes images, `put` and `patch` take attributes."""

    op: Literal["put", "patch", "delete"]
    product_id: str
    attributes: NotRequired[Mapping[str, Any]]
    images: NotRequired[Sequence[Photo]]


def is_address(photo: Photo) -> bool:
    return isinstance(photo, str) and photo.lower().startswith(("http://", "https://"))


def read(photo: Photo) -> bytes:
    """The bytes of a photo that is no address."""
    return photo if isinstance(photo, bytes) else Path(photo).read_bytes()


def as_text(photo: Photo) -> str:
    """A photo for a JSON body: its address, or base64."""
    return str(photo) if is_address(photo) else base64.b64encode(read(photo)).decode()


def as_json(query: Mapping[str, Any]) -> dict[str, Any]:
    """A query for a JSON body."""
    body = {key: list(v) if _is_many(v) else v for key, v in query.items() if key != "photo"}
    if _is_many(body.get("box")):
        body["box"] = _corners(body["box"])
    if "photo" in query:
        kind = "image_url" if is_address(query["photo"]) else "image_base64"
        body[kind] = as_text(query["photo"])
    return body


def as_fields(parameters: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Parameters for a form or the query string of an address; lists as repeated names."""
    return [
        (name, str(value).lower() if isinstance(value, bool) else str(value))
        for name, given in parameters.items()
        for value in _values(name, given)
    ]


def batched(items: Iterable[T], most: int) -> Iterator[list[T]]:
    """The items in lists of `most`, the last one shorter."""
    left = iter(items)
    while some := list(islice(left, most)):
        yield some


def within(
    documents: Iterable[dict[str, Any]], most: int, most_bytes: int
) -> Iterator[list[dict[str, Any]]]:
    """The documents in lists of `most`, shorter where JSON of more than `most_bytes` came of it.

    A document that is larger by itself is alone in its list.
    """
    some: list[dict[str, Any]] = []
    held = 0
    for document in documents:
        size = len(json.dumps(document)) + 2  # as it is sent, with what separates it
        if some and (len(some) == most or held + size > most_bytes):
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
    """A box as the service reads it: digits without an exponent, separated by commas."""
    return ",".join(f"{corner:.6f}" for corner in box)


def _is_many(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str | bytes)

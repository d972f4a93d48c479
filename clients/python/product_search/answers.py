"""Responses of the service. Members unknown to this version of the package are ignored."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar, cast
from urllib.parse import urljoin

Json = Mapping[str, Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Result:
    """A product, with its best matching photo.

    Attributes:
        product_id: the merchant's id.
        score: cosine similarity; higher is closer.
        distance: 1 - score.
        image: name of the photo given by the merchant.
        image_url: URL of the photo.
        thumbnail_url: URL of the photo, 320 pixels wide.
        attributes: of the product.
        boost: what boosts added to the score for ranking; None if the query had none.
    """

    product_id: str
    score: float
    distance: float
    image: str
    image_url: str
    thumbnail_url: str
    attributes: Json
    boost: float | None = None


@dataclass(frozen=True)
class FacetValue:
    """A value of an attribute, and the number of matching products that have it."""

    value: str | float | bool
    count: int


@dataclass(frozen=True)
class Answer:
    """One page of a ranking.

    Attributes:
        query_id: for sending events about these results.
        collection: that was searched.
        seq: version of the catalogue that was searched.
        total: number of products in the whole ranking.
        took_ms: milliseconds by stage.
        results: of this page.
        facets: counted values by attribute, if requested.
        box: the part of the photo that was searched; None for the whole photo.
        next: cursor of the next page; None after the last one.
    """

    query_id: str
    collection: str
    seq: int
    total: int
    took_ms: Mapping[str, float]
    results: tuple[Result, ...]
    facets: Mapping[str, tuple[FacetValue, ...]] = field(default_factory=dict)
    box: Any = None
    next: str | None = None


@dataclass(frozen=True)
class ProductImage:
    """A photo of a product."""

    image: str
    image_url: str
    thumbnail_url: str


@dataclass(frozen=True)
class Product:
    """A product as stored."""

    product_id: str
    collection: str
    attributes: Json
    images: tuple[ProductImage, ...]


@dataclass(frozen=True)
class Change:
    """The result of a change.

    Attributes:
        product_id: the merchant's id; None if it could not be read.
        outcome: `added`, `updated`, `unchanged`, `removed` or `failed`.
        collection: that was changed.
        seq: version of the catalogue with the change.
        code: of the error, if the change failed.
        detail: of the error, if the change failed.
        warnings: what was stored differently than sent.
    """

    product_id: str | None
    outcome: str
    collection: str
    seq: int
    code: str | None = None
    detail: str | None = None
    warnings: Sequence[str] = ()


def answer_of(document: Json, base: str) -> Answer:
    """Converts a response to an answer, with absolute image URLs."""
    facets = {
        name: tuple(_made(FacetValue, value) for value in values)
        for name, values in (document.get("facets") or {}).items()
    }
    results = tuple(_made(Result, _pictured(result, base)) for result in document["results"])
    return _made(Answer, {**document, "results": results, "facets": facets})


def product_of(document: Json, base: str) -> Product:
    """Converts a response to a product, with absolute image URLs."""
    images = tuple(_made(ProductImage, _pictured(image, base)) for image in document["images"])
    return _made(Product, {**document, "images": images})


def changes_of(document: Json) -> list[Change]:
    """Converts the response of a bulk request to changes."""
    shared = {key: document[key] for key in ("collection", "seq")}
    return [_made(Change, {**shared, **row}) for row in document["results"]]


def change_of(document: Json) -> Change:
    """Converts a response to a change."""
    return _made(Change, document)


def _pictured(document: Json, base: str) -> Json:
    urls = {key: urljoin(base, document[key]) for key in ("image_url", "thumbnail_url")}
    return {**document, **urls}


def _made(kind: Callable[..., T], document: Json) -> T:
    known = {each.name for each in fields(cast(Any, kind))}
    return kind(**{key: value for key, value in document.items() if key in known})

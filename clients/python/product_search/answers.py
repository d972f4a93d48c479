"""What the service answers. Members that are newer than this package are left out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar, cast
from urllib.parse import urljoin

Json = Mapping[str, Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Result:
    """A product, and the photo of it that matched best.

    Attributes:
        score: cosine similarity; higher is closer.
        image: the photo as the merchant named it.
        image_url: where the photo is.
        boost: what boosts added for the ranking; None if the query had none.
    """

    product_id: str
    score: float
    distance: float
    image: str
    image_url: str
    attributes: Json
    boost: float | None = None


@dataclass(frozen=True)
class FacetValue:
    """A value of an attribute, and how many matching products have it."""

    value: str | float | bool
    count: int


@dataclass(frozen=True)
class Answer:
    """One page of a ranking.

    Attributes:
        query_id: for events about these results.
        seq: the state of the catalogue that was searched.
        total: products in the whole ranking.
        facets: counted values by attribute, if the query asked for them.
        box: the part of the photo that was searched, if it was a part.
    """

    query_id: str
    collection: str
    seq: int
    total: int
    took_ms: Mapping[str, float]
    results: tuple[Result, ...]
    facets: Mapping[str, tuple[FacetValue, ...]] = field(default_factory=dict)
    box: Any = None


@dataclass(frozen=True)
class ProductImage:
    """A photo of a product."""

    image: str
    image_url: str


@dataclass(frozen=True)
class Product:
    """A product as stored."""

    product_id: str
    collection: str
    attributes: Json
    images: tuple[ProductImage, ...]


@dataclass(frozen=True)
class Change:
    """What became of a change: `added`, `updated`, `unchanged`, `removed`, or `failed`.

    `code` and `detail` say why it failed, `warnings` what was stored differently than sent. `seq`
    is of the catalogue that has it.
    """

    product_id: str | None
    outcome: str
    collection: str
    seq: int
    code: str | None = None
    detail: str | None = None
    warnings: Sequence[str] = ()


def answer_of(document: Json, base: str) -> Answer:
    """An answer, with pictures' addresses relative to `base` made whole."""
    facets = {
        name: tuple(_made(FacetValue, value) for value in values)
        for name, values in (document.get("facets") or {}).items()
    }
    results = tuple(_made(Result, _pictured(result, base)) for result in document["results"])
    return _made(Answer, {**document, "results": results, "facets": facets})


def product_of(document: Json, base: str) -> Product:
    images = tuple(_made(ProductImage, _pictured(image, base)) for image in document["images"])
    return _made(Product, {**document, "images": images})


def changes_of(document: Json) -> list[Change]:
    """The changes of a bulk answer."""
    shared = {key: document[key] for key in ("collection", "seq")}
    return [_made(Change, {**shared, **row}) for row in document["results"]]


def change_of(document: Json) -> Change:
    return _made(Change, document)


def _pictured(document: Json, base: str) -> Json:
    return {**document, "image_url": urljoin(base, document["image_url"])}


def _made(kind: Callable[..., T], document: Json) -> T:
    known = {each.name for each in fields(cast(Any, kind))}
    return kind(**{key: value for key, value in document.items() if key in known})

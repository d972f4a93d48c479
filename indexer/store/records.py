"""What goes into a collection and comes out of it."""

import json
from dataclasses import dataclass
from typing import Literal

from indexer.arrays import Vector

AttributeValue = str | int | float | bool
Attributes = dict[str, AttributeValue]
Outcome = Literal["added", "updated", "unchanged"]


@dataclass(frozen=True)
class Image:
    """One photo of a product, as stored."""

    image_id: int
    product_id: str
    uri: str
    location: str
    content_hash: str


@dataclass(frozen=True)
class Product:
    """A product as stored, its images in the merchant's order."""

    product_id: str
    attributes: Attributes
    images: tuple[Image, ...]


@dataclass(frozen=True)
class NewImage:
    """A photo on its way in. `vector` may be None where the product has this photo already."""

    uri: str
    location: str
    content_hash: str
    vector: Vector | None


@dataclass(frozen=True)
class PutProduct:
    """Makes the product exactly this: attributes and images, in this order."""

    product_id: str
    attributes: Attributes
    images: tuple[NewImage, ...]


def as_json(attributes: Attributes) -> str:
    """Attributes as they are stored; unlike the dictionaries, `1` and `true` are not equal."""
    return json.dumps(attributes, ensure_ascii=False, sort_keys=True)


def outcome(put: PutProduct | Product, stored: Product | None) -> Outcome:
    """What putting a product does to the one stored under its id."""
    if stored is None:
        return "added"
    same = as_json(stored.attributes) == as_json(put.attributes) and [
        (image.uri, image.location, image.content_hash) for image in stored.images
    ] == [(image.uri, image.location, image.content_hash) for image in put.images]
    return "unchanged" if same else "updated"

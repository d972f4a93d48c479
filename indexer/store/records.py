"""Records of a collection: products and images, as stored and as written."""

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from indexer.arrays import Vector

AttributeValue = str | int | float | bool
Attributes = dict[str, AttributeValue]
Outcome = Literal["added", "updated", "unchanged"]


VECTOR_HASH = "vector:"  # starts the content hash of an image whose photo is unknown


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
    """A product as stored, with its images in the merchant's order."""

    product_id: str
    attributes: Attributes
    images: tuple[Image, ...]


@dataclass(frozen=True)
class NewImage:
    """A photo to write. `vector` may be None if the product already has this photo."""

    uri: str
    location: str
    content_hash: str
    vector: Vector | None


@dataclass(frozen=True)
class PutProduct:
    """A product to write; replaces its attributes and images, in this order."""

    product_id: str
    attributes: Attributes
    images: tuple[NewImage, ...]


def as_json(attributes: Attributes) -> str:
    """Serialises attributes for storage; unlike in a dictionary, `1` and `true` differ."""
    return json.dumps(attributes, ensure_ascii=False, sort_keys=True)


def revision(product: Product) -> str:
    """Returns a hash of a product as stored, which changes whenever the product does."""
    images = [(i.image_id, i.uri, i.location, i.content_hash) for i in product.images]
    stored = json.dumps([product.product_id, as_json(product.attributes), images])
    return sha256(stored.encode()).hexdigest()[:32]


def outcome(put: PutProduct | Product, stored: Product | None) -> Outcome:
    """Returns how writing a product changes the stored one."""
    if stored is None:
        return "added"
    same = as_json(stored.attributes) == as_json(put.attributes) and [
        (image.uri, image.location, image.content_hash) for image in stored.images
    ] == [(image.uri, image.location, image.content_hash) for image in put.images]
    return "unchanged" if same else "updated"

"""The products of a collection, as stored."""

from typing import Any

from flask import Response, jsonify
from pydantic import BaseModel, Field

from indexer.errors import UnknownProductError
from indexer.search import find_product, image_url
from service.access.scopes import ScopedBlueprint
from service.api.schemas import OF_COLLECTION, CollectionQuery, collection_in_url
from service.http.context import search_service
from service.http.descriptions import Description

PATH = "/v1/products/<product_id:product_id>"

blueprint = ScopedBlueprint("products", __name__)


class ProductImage(BaseModel):
    """A photo of a product."""

    image: str
    image_url: str


class ProductResponse(BaseModel):
    """A product as stored."""

    product_id: str
    collection: str
    attributes: dict[str, Any] = Field(
        description="Text, numbers and booleans; a list or an object is JSON text."
    )
    images: list[ProductImage]


@blueprint.get(
    PATH,
    scope="search",
    description=Description(
        "getProduct",
        {200: ProductResponse},
        query=CollectionQuery,
        raises=(*OF_COLLECTION, UnknownProductError),
    ),
)
def product(product_id: str) -> Response:
    """A product, its attributes and photos."""
    collection = collection_in_url()
    with search_service().searcher(collection).store.reader() as reader:
        found = find_product(reader, product_id)
    images = [
        {"image": image.uri, "image_url": image_url(collection, image)} for image in found.images
    ]
    return jsonify(
        product_id=product_id, collection=collection, attributes=found.attributes, images=images
    )

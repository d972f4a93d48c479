"""The products of a collection, as stored."""

from typing import Annotated, Any

from flask import jsonify, request
from pydantic import BaseModel, Field
from werkzeug.wrappers import Response

from indexer.errors import BadFilterError, UnknownProductError
from indexer.search import Filter, find_product, image_url, list_products, thumbnail_url
from indexer.store import Condition, Product, parse, revision
from service.access.scopes import ScopedBlueprint
from service.api import cursors
from service.api.schemas import OF_COLLECTION, CollectionQuery, ThumbnailUrl, collection_in_url
from service.errors import OverloadedError
from service.http.caching import revalidated
from service.http.context import search_service
from service.http.descriptions import NOT_MODIFIED, Description
from service.http.parsing import unrepeated, validated

PATH = "/v1/products/<product_id:product_id>"

blueprint = ScopedBlueprint("products", __name__)


class ProductImage(BaseModel):
    """A photo of a product."""

    image: str
    image_url: str = Field(description="URL of the photo, or a path of this service.")
    thumbnail_url: ThumbnailUrl


class ListedProduct(BaseModel):
    """A product as stored."""

    product_id: str
    attributes: dict[str, Any] = Field(
        description="Text, numbers and booleans; a list or an object is JSON text."
    )
    images: list[ProductImage]


class ProductResponse(ListedProduct):
    """A product as stored, and its collection."""

    collection: str


class ListQuery(CollectionQuery):
    """The parameters of a list of products."""

    limit: Annotated[int, Field(ge=1, le=200, description="Products on the page.")] = 50
    cursor: Annotated[
        str | None,
        Field(max_length=4000, description="`next` of the previous page, for the page after it."),
    ] = None
    filter: Filter = Field(default_factory=list)

    def conditions(self) -> list[Condition]:
        """Returns the conditions of `filter`.

        Raises:
            BadFilterError: one of them is malformed.
        """
        return [parse(text) for text in self.filter]


class ProductsResponse(BaseModel):
    """A page of products, by product id in code point order."""

    collection: str
    seq: int = Field(description="State of the catalogue.")
    total: int = Field(description="Number of products that meet the conditions.")
    products: list[ListedProduct]
    next: str | None = Field(description="Cursor of the next page; null after the last one.")


@blueprint.get(
    "/v1/products",
    scope="search",
    description=Description(
        "listProducts",
        {200: ProductsResponse, 304: NOT_MODIFIED},
        query=ListQuery,
        raises=(*OF_COLLECTION, BadFilterError, OverloadedError),
    ),
)
def products() -> Response:
    """List all products, or those that meet conditions.

    Pages continue after the last product id, so that changes between two pages neither repeat nor
    skip a product that both states have.
    """
    query = validated(ListQuery, unrepeated(request.args, {"filter"}))
    (after,) = [""] if query.cursor is None else cursors.values_of(query.cursor, str)
    service = search_service()
    with service.admission.admit("product"):
        store = service.searcher(query.collection).store
        found = list_products(store, query.limit, after, query.conditions())
    listed = [_shown(query.collection, product) for product in found.products]
    document = {
        "collection": query.collection,
        "seq": found.seq,
        "total": found.total,
        "products": listed,
        "next": cursors.encoded(listed[-1]["product_id"]) if found.more else None,
    }
    return revalidated(jsonify(document), private=True)


@blueprint.get(
    PATH,
    scope="search",
    description=Description(
        "getProduct",
        {200: ProductResponse, 304: NOT_MODIFIED},
        query=CollectionQuery,
        raises=(*OF_COLLECTION, UnknownProductError),
    ),
)
def product(product_id: str) -> Response:
    """A product, its attributes and photos."""
    collection = collection_in_url()
    with search_service().searcher(collection).store.reader() as reader:
        found = find_product(reader, product_id)
    document = {**_shown(collection, found), "collection": collection}
    return revalidated(jsonify(document), revision(found), private=True)


def _shown(collection: str, product: Product) -> dict[str, Any]:
    images = [
        {
            "image": image.uri,
            "image_url": image_url(collection, image),
            "thumbnail_url": thumbnail_url(collection, image),
        }
        for image in product.images
    ]
    return {
        "product_id": product.product_id,
        "attributes": product.attributes,
        "images": images,
    }

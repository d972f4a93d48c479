"""Explanations: where a query and one of its results agree."""

from typing import Annotated, Any

from flask import Response, jsonify, request
from pydantic import BaseModel, Field

from indexer.errors import UnknownProductError
from indexer.search import BoxText, image_url
from service.access.guard import charge
from service.access.scopes import ScopedBlueprint
from service.api.schemas import (
    OF_BODY,
    OF_COLLECTION,
    OF_PHOTO,
    Base64Photo,
    CollectionQuery,
    Corners,
)
from service.engine import explanations
from service.engine.explanations import Explanation, explain_photo, explain_product
from service.errors import BadRequestError, OverloadedError, UnknownImageError
from service.http.context import search_service
from service.http.descriptions import JSON, Description, Form
from service.http.parsing import decoded, json_body, unrepeated, uploaded, validated

blueprint = ScopedBlueprint("explain", __name__)


class ExplainParameters(CollectionQuery):
    """The result to explain."""

    result: Annotated[str, Field(description="The product_id of the result to explain.")]
    box: BoxText = None


class ExplainQuery(ExplainParameters):
    """The query as JSON, with exactly one of `image_base64` and `product_id`."""

    image_base64: Base64Photo = None
    product_id: Annotated[str | None, Field(description="The product to use as the query.")] = None


class HeatMap(BaseModel):
    """The contribution of each place of a photo to the similarity."""

    image: str | None = Field(
        description="The photo as the merchant named it; null for a photo in the request."
    )
    image_url: str | None
    box: Corners | None = Field(
        description="The part of the photo that the rows cover; null for the whole photo."
    )
    rows: list[list[Annotated[float, Field(ge=0, le=1)]]] = Field(
        description="From top to bottom, left to right; the largest value is 1."
    )


class ExplainResponse(BaseModel):
    """Where the query and the best-matching photo of the result agree."""

    collection: str
    score: float = Field(description="Cosine similarity, as in a search.")
    query: HeatMap
    result: HeatMap


_PHOTO: dict[str, Any] = {
    "type": "string",
    "format": "binary",
    "description": "The photo of the query.",
}


@blueprint.post(
    "/v1/explain",
    scope="search",
    description=Description(
        "explain",
        {200: ExplainResponse},
        query=CollectionQuery,
        body={"multipart/form-data": Form(ExplainParameters, _PHOTO), JSON: ExplainQuery},
        raises=(
            *OF_COLLECTION,
            *OF_PHOTO,
            *OF_BODY,
            UnknownProductError,
            UnknownImageError,
            OverloadedError,
        ),
    ),
)
def explain() -> Response:
    """Show where a query and one of its results agree."""
    service = search_service()
    in_url = unrepeated(request.args)
    validated(CollectionQuery, in_url)
    with service.admission.admit("upload"):
        if request.mimetype == "multipart/form-data":
            (photo,) = uploaded(limit=1)
            asked = validated(ExplainParameters, in_url, unrepeated(request.form))
            return _by_photo(photo, asked)
        query = validated(ExplainQuery, in_url, json_body())
        if (query.image_base64 is None) == (query.product_id is None):
            raise BadRequestError("send exactly one of image_base64 and product_id")
        if query.product_id is None:
            return _by_photo(decoded(query.image_base64 or "", "image_base64"), query)
        charge(explanations.passes(query.box))
        found = explain_product(
            service, query.collection, query.product_id, query.result, query.box
        )
        return _rendered(query.collection, found)


def _by_photo(photo: bytes, asked: ExplainParameters) -> Response:
    charge(explanations.passes(asked.box))
    found = explain_photo(search_service(), asked.collection, photo, asked.result, asked.box)
    return _rendered(asked.collection, found)


def _rendered(collection: str, explanation: Explanation) -> Response:
    maps = {
        name: {
            "image": found.image and found.image.uri,
            "image_url": found.image and image_url(collection, found.image),
            "box": found.box,
            "rows": found.rows,
        }
        for name, found in (("query", explanation.query), ("result", explanation.result))
    }
    return jsonify(collection=collection, score=explanation.score, **maps)

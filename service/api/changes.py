"""Changes of products: one, or many in one request."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

from flask import Response, jsonify
from pydantic import BaseModel, ConfigDict, Field, model_validator

from indexer import errors
from indexer.errors import BadParameterError, ImageSearchError, LockedError
from indexer.feeds import LIMITS, MAX_ATTRIBUTES, read_attributes, read_changes, require_product_id
from indexer.fetch import is_url
from indexer.ingest.editing import Change, Delete, Done, Patch, Put, Result
from service.access.scopes import ScopedBlueprint
from service.api.products import PATH
from service.api.schemas import (
    OF_BODY,
    OF_COLLECTION,
    OF_PHOTO,
    CollectionQuery,
    collection_in_url,
)
from service.errors import BadRequestError, OverloadedError, WriterBusyError
from service.http.context import search_service
from service.http.descriptions import JSON, Description
from service.http.parsing import LINES, decoded, json_body, validated
from service.http.problem_texts import detail_of
from service.http.problems import report

MAX_IMAGES = 20
MAX_OPERATIONS = 1000
_MAX_VALUES = 200 * MAX_OPERATIONS

blueprint = ScopedBlueprint("changes", __name__)

Attributes = Annotated[
    dict[str, Any],
    Field(
        max_length=MAX_ATTRIBUTES,
        description="Columns of a product feed, such as title, price, availability, product_type;"
        f" other columns become labels. Lists and objects are stored as JSON text. {LIMITS}",
        examples=[{"title": "Ankle boot", "price": "89.90 EUR", "availability": "in stock"}],
    ),
]
PatchedAttributes = Annotated[
    dict[str, Any],
    Field(
        max_length=MAX_ATTRIBUTES,
        description="Columns of a feed to change; null removes one, others remain. The limits apply"
        " to the whole product after the change.",
        examples=[{"price": "79.90 EUR", "color": None}],
    ),
]
Images = Annotated[
    list[str],
    Field(
        fail_fast=True,
        min_length=1,
        max_length=MAX_IMAGES,
        description="Photos, the main one first: a file in base64 (or as a data URL), which is"
        " stored, or an http(s) URL, which is not copied.",
        examples=[["https://shop.example/boot.jpg"]],
    ),
]


Warnings = Annotated[
    list[str] | None,
    Field(
        description="Values that were not stored as sent, such as a sale price above the price;"
        " absent if there are none."
    ),
]


class ProductBody(BaseModel):
    """A complete product: attributes and photos that it does not name are removed."""

    model_config = ConfigDict(extra="forbid")

    attributes: Attributes = {}
    images: Images


class AttributesBody(BaseModel):
    """Changes of attributes."""

    model_config = ConfigDict(extra="forbid")

    attributes: PatchedAttributes


class Operation(BaseModel):
    """One of several changes. `put` has images, `put` and `patch` have attributes."""

    model_config = ConfigDict(extra="forbid")

    op: Annotated[Literal["put", "patch", "delete"], Field(description="Like the HTTP method.")]
    product_id: Annotated[str, Field(description="Not percent-encoded.")]
    attributes: Annotated[
        dict[str, Any] | None,
        Field(
            max_length=MAX_ATTRIBUTES,
            description=f"Columns of a feed; null removes one in a patch. {LIMITS}",
        ),
    ] = None
    images: Images | None = None

    @model_validator(mode="after")
    def _has_what_it_takes(self) -> "Operation":
        if (self.images is not None) != (self.op == "put"):
            raise ValueError("`put` needs images, other operations must not have any")
        if self.attributes is None and self.op == "patch":
            raise ValueError("`patch` needs attributes")
        if self.attributes is not None and self.op == "delete":
            raise ValueError("`delete` must not have attributes")
        return self


class ChangeResponse(BaseModel):
    """A stored change, visible to the next search."""

    product_id: str
    collection: str
    seq: int = Field(description="State of the catalogue with this change.")
    outcome: Literal["added", "updated", "unchanged", "removed"]
    warnings: Warnings = None


class OperationResult(BaseModel):
    """The result of one operation; a failed one has `code` and `detail`."""

    product_id: str | None = Field(description="null if the operation has none.")
    outcome: Literal["added", "updated", "unchanged", "removed", "failed"]
    code: str | None = None
    detail: str | None = None
    warnings: Warnings = None


class BulkResponse(BaseModel):
    """The results of the operations, in order; all but the failed ones are stored."""

    collection: str
    seq: int
    failed: int
    results: list[OperationResult]


def _change(
    operation: str, body: type[BaseModel] | None, *raises: type[ImageSearchError]
) -> Description:
    stored = (OverloadedError, WriterBusyError, errors.DiskFullError, errors.ReadOnlyError)
    return Description(
        operation,
        {200: ChangeResponse},
        query=CollectionQuery,
        body={JSON: body} if body else {},
        raises=(*OF_COLLECTION, *stored, *raises),
    )


@blueprint.put(
    PATH,
    scope="admin",
    description=_change("putProduct", ProductBody, *OF_BODY, *OF_PHOTO, errors.FetchError),
)
def put(product_id: str) -> Response:
    """Add or replace a product; durable when answered."""
    body = validated(ProductBody, json_body())
    return _changed(_put(product_id, body.attributes, body.images))


@blueprint.patch(
    PATH,
    scope="admin",
    description=_change("patchProduct", AttributesBody, *OF_BODY, errors.UnknownProductError),
)
def patch(product_id: str) -> Response:
    """Change attributes of a product."""
    return _changed(_patch(product_id, validated(AttributesBody, json_body()).attributes))


@blueprint.delete(
    PATH,
    scope="admin",
    description=_change("deleteProduct", None, errors.UnknownProductError),
)
def delete(product_id: str) -> Response:
    """Remove a product."""
    return _changed(Delete(product_id))


@blueprint.post(
    "/v1/products/bulk",
    scope="admin",
    description=Description(
        "changeProducts",
        {200: BulkResponse},
        query=CollectionQuery,
        body={
            JSON: {"type": "array", "items": Operation, "minItems": 1, "maxItems": MAX_OPERATIONS},
            LINES: Operation,
        },
        raises=(*OF_COLLECTION, *OF_BODY, OverloadedError),
    ),
)
def bulk() -> Response:
    """Put, patch and delete many products; a failed operation does not affect the others."""
    operations = json_body(lines=True, max_values=_MAX_VALUES)
    if not isinstance(operations, list) or not 1 <= len(operations) <= MAX_OPERATIONS:
        raise BadRequestError(f"send a list, or lines, of 1 to {MAX_OPERATIONS} operations")
    collection = collection_in_url()
    search_service().searcher(collection)  # before anything is read
    parsed = [_parsed(operation) for operation in operations]
    changes = [item for item in parsed if not isinstance(item, Exception)]
    done = iter(_done(collection, changes))
    results = [item if isinstance(item, Exception) else next(done) for item in parsed]
    rows = [_row(operation, result) for operation, result in zip(operations, results, strict=True)]
    failures = [result for result in results if isinstance(result, ImageSearchError)]
    for error, operations in Counter(failures).items():  # several operations may have the same one
        report(error, operations)
    seq = _seq(collection)
    return jsonify(collection=collection, seq=seq, failed=len(failures), results=rows)


def _changed(change: Change) -> Response:
    collection = collection_in_url()
    (result,) = _done(collection, [change])
    if isinstance(result, ImageSearchError):
        raise result
    named = {"product_id": change.product_id, "collection": collection, "seq": _seq(collection)}
    return jsonify(named | _shown(result))


def _done(collection: str, changes: Sequence[Change]) -> list[Result]:
    """Makes changes; returns their results, with a writer that is busy as 503."""
    return [
        WriterBusyError(detail_of(result)) if isinstance(result, LockedError) else result
        for result in search_service().change(collection, changes)
    ]


def _seq(collection: str) -> int:
    with search_service().searcher(collection).store.reader() as reader:
        return reader.seq


def _put(product_id: str, attributes: dict[str, Any] | None, images: Iterable[str]) -> Put:
    require_product_id(product_id)
    photos = tuple(
        image if is_url(image) else decoded(image, f"images[{number}]")
        for number, image in enumerate(images)
    )
    parsed = read_attributes(attributes or {})
    return Put(product_id, parsed.attributes, photos, parsed.warnings)


def _patch(product_id: str, attributes: dict[str, Any] | None) -> Patch:
    return Patch(product_id, read_changes(attributes or {}))


def _parsed(document: object) -> Change | ImageSearchError:
    if isinstance(document, ImageSearchError):  # a line that is not JSON
        return document
    try:
        operation = validated(Operation, document)
        if operation.op == "put":
            return _put(operation.product_id, operation.attributes, operation.images or ())
        if operation.op == "patch":
            return _patch(operation.product_id, operation.attributes)
        return Delete(operation.product_id)
    except BadParameterError as error:
        return error


def _row(operation: object, result: Result) -> dict[str, object]:
    named = operation.get("product_id") if isinstance(operation, dict) else None
    row: dict[str, object] = {"product_id": named if isinstance(named, str) else None}
    if isinstance(result, ImageSearchError):
        return {**row, "outcome": "failed", "code": result.code, "detail": detail_of(result)}
    return row | _shown(result)


def _shown(done: Done) -> dict[str, object]:
    warnings = {"warnings": done.warnings} if done.warnings else {}
    return {"outcome": done.outcome, **warnings}

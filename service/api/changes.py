"""Changes of products: one, or many in one request."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

from flask import jsonify, request
from pydantic import BaseModel
from werkzeug.wrappers import Response

from indexer import errors
from indexer.errors import BadParameterError, ImageSearchError, LockedError
from indexer.feeds import read_attributes, read_changes, require_product_id
from indexer.fetch import is_url
from indexer.ingest.editing import Change, Delete, Done, Patch, Put, Result
from service.access.scopes import ScopedBlueprint
from service.api.change_models import (
    AttributesBody,
    BulkResponse,
    ChangeResponse,
    Operation,
    ProductBody,
)
from service.api.products import PATH
from service.api.schemas import (
    OF_BODY,
    OF_COLLECTION,
    OF_PHOTO,
    CollectionQuery,
    collection_in_url,
)
from service.errors import BadRequestError, OverloadedError, WriterBusyError
from service.http.conditions import precondition
from service.http.context import search_service
from service.http.descriptions import JSON, Description, json_answer
from service.http.parsing import LINES, MERGE_PATCH, decoded, json_body, remove_nulls, validated
from service.http.problem_texts import detail_of
from service.http.problems import report

MAX_OPERATIONS = 1000
_MAX_VALUES = 200 * MAX_OPERATIONS

blueprint = ScopedBlueprint("changes", __name__)


def _change(
    operation: str,
    body: dict[str, type[BaseModel]],
    *raises: type[ImageSearchError],
    creates: bool = False,
) -> Description:
    stored = (OverloadedError, WriterBusyError, errors.DiskFullError, errors.ReadOnlyError)
    made = {201: json_answer("Added.", ChangeResponse)} if creates else {}
    return Description(
        operation,
        {200: ChangeResponse, **made},
        query=CollectionQuery,
        body=body,
        raises=(*OF_COLLECTION, *stored, BadRequestError, errors.PreconditionError, *raises),
    )


@blueprint.put(
    PATH,
    scope="admin",
    description=_change(
        "putProduct", {JSON: ProductBody}, *OF_BODY, *OF_PHOTO, errors.FetchError, creates=True
    ),
)
def put(product_id: str) -> Response:
    """Add or replace a product; durable when answered."""
    body = validated(ProductBody, json_body())
    change = _put(product_id, body.attributes, body.images)
    return _changed(replace(change, precondition=precondition()))


@blueprint.patch(
    PATH,
    scope="admin",
    description=_change(
        "patchProduct",
        {JSON: AttributesBody, MERGE_PATCH: AttributesBody},
        *OF_BODY,
        errors.UnknownProductError,
    ),
)
def patch(product_id: str) -> Response:
    """Change attributes of a product."""
    attributes = validated(AttributesBody, json_body(types=(JSON, MERGE_PATCH))).attributes
    if request.mimetype == MERGE_PATCH:  # of an object that is an attribute, null removes a member
        for value in attributes.values():
            remove_nulls(value)
    return _changed(replace(_patch(product_id, attributes), precondition=precondition()))


@blueprint.delete(
    PATH,
    scope="admin",
    description=_change("deleteProduct", {}, errors.UnknownProductError),
)
def delete(product_id: str) -> Response:
    """Remove a product."""
    return _changed(Delete(product_id, precondition()))


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
    operations = json_body(types=(JSON, LINES), max_values=_MAX_VALUES)
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
    named = {"product_id": change.product_id, "collection": collection, "seq": result.seq}
    response = jsonify(named | _shown(result))
    if result.revision is not None:
        response.set_etag(result.revision)
    if result.outcome == "added":
        response.status_code = HTTPStatus.CREATED
        place = quote(change.product_id, safe="")
        response.location = f"/v1/products/{place}?{urlencode({'collection': collection})}"
    return response


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

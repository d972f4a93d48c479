"""Changing products over HTTP: one at a time, or many in one request."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from threading import Thread
from typing import Annotated, Any, Literal

from flask import Flask, Response, current_app, jsonify, request
from pydantic import BaseModel, ConfigDict, Field, model_validator

from indexer.config import IndexSettings, Settings
from indexer.errors import BadParameterError, ImageSearchError, LockedError
from indexer.feeds import LIMITS, MAX_ATTRIBUTES, read_attributes, read_changes, require_product_id
from indexer.fetch import PhotoSource, is_url
from indexer.ingest.editing import Change, Delete, Editor, Patch, Put, Result
from indexer.maintenance.compaction import compact_when_due
from indexer.search import Searcher
from indexer.store.embedded.catalog import Catalog
from service.access.scopes import ScopedBlueprint
from service.api.schemas import CollectionQuery
from service.engine.collections import SearchService
from service.errors import BadRequestError, NotReadyError
from service.http.parsing import decoded, json_body, unrepeated, validated
from service.http.problem_texts import detail_of

MAX_IMAGES = 20
MAX_OPERATIONS = 1000

log = logging.getLogger(__name__)
blueprint = ScopedBlueprint("admin", __name__)

Attributes = Annotated[
    dict[str, Any],
    Field(
        max_length=MAX_ATTRIBUTES,
        description="Columns of a product feed, such as title, price, availability, product_type;"
        f" any other becomes a label. {LIMITS}",
        examples=[{"title": "Ankle boot", "price": "89.90 EUR", "availability": "in stock"}],
    ),
]
PatchedAttributes = Annotated[
    dict[str, Any],
    Field(
        max_length=MAX_ATTRIBUTES,
        description="Attributes to change; null removes one, the others stay. The limits are those"
        " of a whole product, and hold for what the product has afterwards.",
        examples=[{"price": "79.90 EUR", "color": None}],
    ),
]
Images = Annotated[
    list[str],
    Field(
        min_length=1,
        max_length=MAX_IMAGES,
        description="Photos, the main one first: base64 of a file (a data URL, too), which is kept"
        " here, or an http(s) URL, which stays where it is.",
        examples=[["https://shop.example/boot.jpg"]],
    ),
]


class WriterBusyError(NotReadyError):
    """Another process is writing to the collection, and still was after a while."""

    code = LockedError.code


class ProductBody(BaseModel):
    """A product as it shall be: attributes or photos that are not here are removed."""

    model_config = ConfigDict(extra="forbid")

    attributes: Attributes = {}
    images: Images


class AttributesBody(BaseModel):
    """What changes of a product."""

    model_config = ConfigDict(extra="forbid")

    attributes: PatchedAttributes


class Operation(BaseModel):
    """One change of many. `put` takes images, `put` and `patch` take attributes."""

    model_config = ConfigDict(extra="forbid")

    op: Annotated[Literal["put", "patch", "delete"], Field(description="As the HTTP method.")]
    product_id: Annotated[str, Field(description="As it is, not percent-encoded.")]
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
    """A change that is stored, and that the next search shows."""

    product_id: str
    collection: str
    seq: int = Field(description="The state of the catalogue that has it.")
    outcome: Literal["added", "updated", "unchanged", "removed"]


class OperationResult(BaseModel):
    """What became of one operation. `code` and `detail` are there if it failed."""

    product_id: str | None = Field(description="null if the operation names none.")
    outcome: Literal["added", "updated", "unchanged", "removed", "failed"]
    code: str | None = None
    detail: str | None = None


class BulkResponse(BaseModel):
    """What became of the operations, in their order; those that did not fail are stored."""

    collection: str
    seq: int
    failed: int
    results: list[OperationResult]


@dataclass(frozen=True)
class _Tools:
    photos: PhotoSource
    index: IndexSettings


def register(app: Flask, settings: Settings) -> None:
    """Adds the endpoints to the application."""
    photos = PhotoSource(settings.images.limits(), settings.fetch, settings.photo_cache)
    app.extensions["admin"] = _Tools(photos, settings.index)
    app.register_blueprint(blueprint)


@blueprint.put("/v1/products/<product_id:product_id>", scope="admin")
def put(product_id: str) -> Response:
    """Adds a product, or replaces it."""
    body = validated(ProductBody, json_body())
    return _changed(_put(product_id, body.attributes, body.images))


@blueprint.patch("/v1/products/<product_id:product_id>", scope="admin")
def patch(product_id: str) -> Response:
    """Changes attributes of a product."""
    return _changed(_patch(product_id, validated(AttributesBody, json_body()).attributes))


@blueprint.delete("/v1/products/<product_id:product_id>", scope="admin")
def delete(product_id: str) -> Response:
    """Removes a product."""
    return _changed(Delete(product_id))


@blueprint.post("/v1/products/bulk", scope="admin")
def bulk() -> Response:
    """Puts, patches and deletes many products; a bad one does not stop the others."""
    operations = json_body(lines=True)
    if not isinstance(operations, list) or not 1 <= len(operations) <= MAX_OPERATIONS:
        raise BadRequestError(f"send a list, or lines, of 1 to {MAX_OPERATIONS} operations")
    searcher = _searcher()
    parsed = [_parsed(operation) for operation in operations]
    done = iter(_apply(searcher, [item for item in parsed if not isinstance(item, Exception)]))
    results = [item if isinstance(item, Exception) else next(done) for item in parsed]
    rows = [_row(operation, result) for operation, result in zip(operations, results, strict=True)]
    failed = sum(isinstance(result, Exception) for result in results)
    return jsonify(collection=searcher.name, seq=_seq(searcher), failed=failed, results=rows)


def _changed(change: Change) -> Response:
    searcher = _searcher()
    (outcome,) = _apply(searcher, [change])
    if isinstance(outcome, LockedError):
        raise WriterBusyError(detail_of(outcome))
    if isinstance(outcome, ImageSearchError):
        raise outcome
    return jsonify(
        product_id=change.product_id,
        collection=searcher.name,
        seq=_seq(searcher),
        outcome=outcome,
    )


def _put(product_id: str, attributes: dict[str, Any] | None, images: Iterable[str]) -> Put:
    require_product_id(product_id)
    photos = tuple(
        image if is_url(image) else decoded(image, f"images[{number}]")
        for number, image in enumerate(images)
    )
    return Put(product_id, read_attributes(attributes or {}), photos)


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
    return {**row, "outcome": result}


def _searcher() -> Searcher:
    service: SearchService = current_app.extensions["search"]
    return service.searcher(validated(CollectionQuery, unrepeated(request.args)).collection)


def _apply(searcher: Searcher, changes: Sequence[Change]) -> list[Result]:
    tools: _Tools = current_app.extensions["admin"]
    service: SearchService = current_app.extensions["search"]
    store = service.store(searcher.name)
    results = Editor(store, searcher, tools.photos).apply(changes)
    if any(isinstance(result, str) and result != "unchanged" for result in results):
        # Beside the requests: of a large catalogue it takes half a minute, every 100,000 changes.
        Thread(
            target=_compact, args=(store.catalog, tools.index), name="compactor", daemon=True
        ).start()
    return results


def _compact(catalog: Catalog, settings: IndexSettings) -> None:
    try:
        compact_when_due(catalog, settings)
    except ImageSearchError as error:  # the next change tries again
        log.warning("%s is not compacted: %s", catalog.folder, error)


def _seq(searcher: Searcher) -> int:
    with searcher.store.reader() as reader:
        return reader.seq

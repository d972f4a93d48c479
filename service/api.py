"""The endpoints: parse, call, answer."""

from collections.abc import Mapping
from dataclasses import asdict
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar

from flask import Blueprint, Response, current_app, jsonify, redirect, request, send_file
from pydantic import BaseModel, ValidationError
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Response as WerkzeugResponse

from indexer.errors import BadParameterError, ImageSearchError
from indexer.search import Answer, find_product, image_url
from service import queries
from service.errors import (
    BadRequestError,
    UnknownImageError,
    UnsupportedMediaTypeError,
    problem_of,
)
from service.openapi import document
from service.schemas import (
    MAX_PHOTOS,
    REPEATABLE,
    BatchQuery,
    CollectionQuery,
    JsonQuery,
    Parameters,
)
from service.search import SearchService

blueprint = Blueprint("api", __name__)

ModelT = TypeVar("ModelT", bound=BaseModel)


@blueprint.post("/v1/search")
def search() -> Response:
    """The products that look most like a photo, or like a product."""
    if request.mimetype == "multipart/form-data":
        return _search_by_upload()
    if request.mimetype == "application/json":
        return _search_by_json()
    raise UnsupportedMediaTypeError(
        f"received content type {request.mimetype or 'none'!r}; send multipart/form-data with a"
        " file `image`, or application/json"
    )


def _search_by_upload() -> Response:
    if unknown := set(request.files) - {"image"}:
        raise BadParameterError(f"received files {sorted(unknown)}; send photos as `image`")
    photos = [file.read() for file in request.files.getlist("image")]
    if not 1 <= len(photos) <= MAX_PHOTOS:
        raise BadRequestError(
            f"received {len(photos)} files named `image`; send 1 to {MAX_PHOTOS} photos"
        )
    parameters = _validated(Parameters, request.args, request.form)
    return _answer(_service().searcher(parameters.collection).by_photos(photos, parameters))


def _search_by_json() -> Response:
    return _answer(queries.answer(_service(), _validated(JsonQuery, request.args, _body())))


@blueprint.post("/v1/search/batch")
def search_batch() -> Response:
    """The answer, or the problem, of each of several queries."""
    if request.mimetype != "application/json":
        raise UnsupportedMediaTypeError(
            f"received content type {request.mimetype or 'none'!r}; send application/json"
        )
    batch = _validated(BatchQuery, request.args, _body())
    return jsonify(answers=[_answer_or_problem(query) for query in batch.queries])


def _answer_or_problem(query: object) -> dict[str, Any]:
    try:
        if not isinstance(query, dict):
            raise BadRequestError(f"received {query!r:.200}; each of queries must be an object")
        return queries.answer(_service(), _validated(JsonQuery, query)).document()
    except ImageSearchError as error:
        return problem_of(error)


def _body() -> dict[str, Any]:
    """The JSON object that was sent."""
    # Werkzeug cuts a body without a length off at the limit and says nothing.
    if len(request.get_data()) >= current_app.config["MAX_CONTENT_LENGTH"]:
        raise RequestEntityTooLarge
    try:
        body = request.get_json()
    except RecursionError:
        raise BadRequestError("the JSON body is nested too deeply") from None
    if not isinstance(body, dict):
        raise BadRequestError("the JSON body must be an object")
    return body


@blueprint.get("/v1/products/<product_id:product_id>/similar")
def similar(product_id: str) -> Response:
    """The products that look most like this one, itself excluded."""
    parameters = _validated(Parameters, request.args)
    searcher = _service().searcher(parameters.collection)
    return _answer(searcher.by_product(product_id, parameters, include_itself=False))


@blueprint.get("/v1/products/<product_id:product_id>")
def product(product_id: str) -> Response:
    """A product, its attributes and photos."""
    collection = _validated(CollectionQuery, request.args).collection
    with _service().searcher(collection).catalog.snapshot() as snapshot:
        found = find_product(snapshot, product_id)
    images = [
        {"image": image.uri, "image_url": image_url(collection, image)} for image in found.images
    ]
    return jsonify(
        product_id=product_id, collection=collection, attributes=found.attributes, images=images
    )


@blueprint.get("/v1/images/<int:image_id>")
def image(image_id: int) -> WerkzeugResponse:
    """A photo of the catalogue."""
    collection = _validated(CollectionQuery, request.args).collection
    with _service().searcher(collection).catalog.snapshot() as snapshot:
        found = snapshot.images([image_id]).get(image_id)
    if found is None:
        raise UnknownImageError(f"there is no image {image_id} in collection {collection!r}")
    if found.location.startswith(("http://", "https://")):
        return redirect(found.location)
    path = Path(found.location)
    # What is not absolute is only the name that came with an imported vector.
    if not (path.is_absolute() and path.is_file()):
        raise UnknownImageError(f"the file of image {image_id} is not there any more")
    return send_file(path, max_age=3600)


@blueprint.get("/healthz")
def healthz() -> Response:
    """The process answers."""
    return jsonify(status="ok")


@blueprint.get("/readyz")
def readyz() -> tuple[Response, HTTPStatus]:
    """Whether every collection can be searched; 503 until then."""
    states = _service().states()
    status = next((state.status for state in states if state.status != "ready"), "ready")
    code = HTTPStatus.OK if status == "ready" else HTTPStatus.SERVICE_UNAVAILABLE
    return jsonify(status=status, collections=[asdict(state) for state in states]), code


@blueprint.get("/openapi.json")
def openapi() -> Response:
    """This interface, described in OpenAPI 3.1."""
    return jsonify(document())


@blueprint.get("/")
def page() -> Response:
    """The search page."""
    return current_app.send_static_file("index.html")


def _service() -> SearchService:
    service: SearchService = current_app.extensions["search"]
    return service


def _answer(answer: Answer) -> Response:
    return jsonify(answer.document())


def _validated(model: type[ModelT], *sources: Mapping[str, Any]) -> ModelT:
    """The parameters; those of a later source replace those of an earlier one."""
    values: dict[str, Any] = {}
    for source in sources:
        values |= _unrepeated(source) if isinstance(source, MultiDict) else source
    try:
        return model.model_validate(values)
    except ValidationError as invalid:
        error = invalid.errors()[0]
        name = ".".join(map(str, error["loc"]))
        if error["type"] == "extra_forbidden":
            known = ", ".join(model.model_fields)
            raise BadParameterError(f"unknown parameter {name!r}; known: {known}") from None
        received = f"received {error['input']!r:.200}; " if name else ""
        raise BadParameterError(
            f"{name or 'parameters'}: {received}{error['msg'].lower()}"
        ) from None


def _unrepeated(source: MultiDict[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, received in source.lists():
        if name not in REPEATABLE and len(received) > 1:
            raise BadParameterError(f"{name}: received {received!r:.200}; send it once")
        values[name] = received if name in REPEATABLE else received[0]
    return values

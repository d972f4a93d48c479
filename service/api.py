"""The endpoints: parse, call, answer."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import asdict, replace
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar

from flask import Blueprint, Response, current_app, g, jsonify, redirect, request, send_file
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Response as WerkzeugResponse

from indexer.errors import BadParameterError
from indexer.search import Answer, find_product, image_url
from service import events, metrics
from service.errors import BadRequestError, UnknownImageError, UnsupportedMediaTypeError
from service.lifecycle import stopping
from service.openapi import document
from service.schemas import MAX_PHOTOS, CollectionQuery, JsonQuery, Parameters
from service.search import SearchService

blueprint = Blueprint("api", __name__)

ModelT = TypeVar("ModelT", bound=BaseModel)


@blueprint.post("/v1/search")
def search() -> Response:
    """The products that look most like a photo, or like a product."""
    _service().admission.require_room(photos=1)  # before the body is read
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
    parameters = _validated(Parameters, {**request.args, **request.form})
    return _by_photos(photos, parameters)


def _search_by_json() -> Response:
    # Werkzeug cuts a body without a length off at the limit and says nothing.
    if len(request.get_data()) >= current_app.config["MAX_CONTENT_LENGTH"]:
        raise RequestEntityTooLarge
    try:
        body = request.get_json()
    except RecursionError:
        raise BadRequestError("the JSON body is nested too deeply") from None
    if not isinstance(body, dict):
        raise BadRequestError("the JSON body must be an object")
    query = _validated(JsonQuery, {**request.args, **body})
    if (query.image_base64 is None) == (query.product_id is None):
        raise BadRequestError("send exactly one of image_base64 and product_id")
    if query.product_id is not None:
        return _by_product(query.product_id, query, include_itself=True)
    return _by_photos([_decoded(query.image_base64 or "")], query)


@blueprint.get("/v1/products/<product_id:product_id>/similar")
def similar(product_id: str) -> Response:
    """The products that look most like this one, itself excluded."""
    parameters = _validated(Parameters, request.args)
    return _by_product(product_id, parameters, include_itself=False)


def _by_photos(photos: list[bytes], parameters: Parameters) -> Response:
    service = _service()
    searcher = service.searcher(parameters.collection)
    with service.admission.admitted(len(photos)):
        return _answer(searcher.by_photos(photos, parameters))


def _by_product(product_id: str, parameters: Parameters, *, include_itself: bool) -> Response:
    service = _service()
    searcher = service.searcher(parameters.collection)
    with service.admission.admitted():
        return _answer(searcher.by_product(product_id, parameters, include_itself=include_itself))


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
    if stopping.is_set():
        states = [replace(state, status="stopping", detail="told to stop") for state in states]
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
    events.note(answer)
    metrics.note(answer)
    document = answer.document()
    g.log_fields = {key: document[key] for key in ("query_id", "collection", "seq", "took_ms")}
    return jsonify(document)


def _validated(model: type[ModelT], values: Mapping[str, Any]) -> ModelT:
    try:
        return model.model_validate(dict(values))
    except ValidationError as invalid:
        error = invalid.errors()[0]
        name = ".".join(map(str, error["loc"]))
        if error["type"] == "extra_forbidden":
            known = ", ".join(model.model_fields)
            raise BadParameterError(f"unknown parameter {name!r}; known: {known}") from None
        raise BadParameterError(
            f"{name}: received {error['input']!r}; {error['msg'].lower()}"
        ) from None


def _decoded(text: str) -> bytes:
    # Browsers give data URLs; what is before the comma only names the type.
    payload = text.partition(",")[2] if text.startswith("data:") else text
    try:
        return base64.b64decode(payload, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadParameterError(f"image_base64: not base64 ({error})") from None

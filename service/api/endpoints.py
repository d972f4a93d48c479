"""The endpoints: parse, call, answer."""

import os
from dataclasses import asdict, replace
from http import HTTPStatus
from io import FileIO
from typing import Any

from flask import Response, current_app, g, jsonify, redirect, request, send_file
from werkzeug.wrappers import Response as WerkzeugResponse

from indexer.errors import BadParameterError, ImageSearchError
from indexer.fetch import is_url
from indexer.search import Answer, find_product, image_url
from indexer.store import Image
from indexer.wording import shown
from service.access.guard import charge
from service.access.scopes import ScopedBlueprint
from service.api import events
from service.api.schemas import (
    MAX_PHOTOS,
    REPEATABLE,
    BatchQuery,
    CollectionQuery,
    ExplainParameters,
    ExplainQuery,
    JsonQuery,
    Parameters,
)
from service.engine import explanations, metrics, queries
from service.engine.collections import SearchService
from service.engine.explanations import explain_photo, explain_product
from service.engine.originals import media_type, open_photo
from service.errors import (
    BadRequestError,
    UnknownImageError,
    UnsupportedMediaTypeError,
)
from service.http.parsing import decoded, json_body, received_type, unrepeated, validated
from service.http.problems import problem_of
from service.server.lifecycle import stopping

blueprint = ScopedBlueprint("api", __name__)


@blueprint.post("/v1/search", scope="search")
def search() -> Response:
    """The products that look most like a photo, or like a product."""
    with _service().admission.upload():
        if request.mimetype == "multipart/form-data":
            return jsonify(_noted(_by_upload()))
        if request.mimetype == "application/json":
            query = validated(JsonQuery, _in_url(), json_body())
            charge(queries.passes_of(query))
            return jsonify(_noted(queries.answer(_service(), query)))
    raise UnsupportedMediaTypeError(
        f"received {received_type()}; send multipart/form-data with a file `image`, or"
        " application/json"
    )


def _uploaded(most: int) -> list[bytes]:
    """The photos that were sent as files."""
    if unknown := set(request.files) - {"image"}:
        raise BadParameterError(f"unknown file {min(unknown)!r}; send photos as `image`")
    photos = [file.read() for file in request.files.getlist("image")]
    if not 1 <= len(photos) <= most:
        raise BadRequestError(
            f"received {len(photos)} files named `image`; send 1 to {most} photos"
        )
    return photos


def _by_upload() -> Answer:
    photos = _uploaded(MAX_PHOTOS)
    parameters = validated(Parameters, _in_url(), unrepeated(request.form, REPEATABLE))
    charge(queries.passes(parameters, len(photos)))
    return queries.by_photos(_service(), photos, parameters)


@blueprint.post("/v1/search/batch", scope="search")
def search_batch() -> Response:
    """The answer, or the problem, of each of several queries."""
    with _service().admission.upload():
        batch = validated(BatchQuery, _in_url(), json_body())
        asked = [_query_or_error(query) for query in batch.queries]
        charge(sum(max(1, queries.passes_of(q)) for q in asked if isinstance(q, JsonQuery)))
        return jsonify(answers=[_answer_or_problem(query) for query in asked])


def _query_or_error(query: object) -> JsonQuery | ImageSearchError:
    try:
        if not isinstance(query, dict):
            raise BadRequestError(f"received {shown(query)}; each query must be an object")
        return validated(JsonQuery, query)
    except ImageSearchError as error:
        return error


def _answer_or_problem(query: JsonQuery | ImageSearchError) -> dict[str, Any]:
    try:
        if isinstance(query, ImageSearchError):
            raise query
        return _noted(queries.answer(_service(), query))
    except ImageSearchError as error:
        return problem_of(error)


@blueprint.post("/v1/explain", scope="search")
def explain() -> Response:
    """Where a query and one of its results agree."""
    service = _service()
    with service.admission.upload():
        if request.mimetype == "multipart/form-data":
            (photo,) = _uploaded(most=1)
            asked = validated(ExplainParameters, unrepeated(request.form))
            charge(explanations.passes(asked))
            return jsonify(explain_photo(service, photo, asked))
        query = validated(ExplainQuery, json_body())
        if (query.image_base64 is None) == (query.product_id is None):
            raise BadRequestError("send exactly one of image_base64 and product_id")
        charge(explanations.passes(query))
        if query.product_id is not None:
            return jsonify(explain_product(service, query.product_id, query))
        photo = decoded(query.image_base64 or "", "image_base64")
        return jsonify(explain_photo(service, photo, query))


@blueprint.get("/v1/products/<product_id:product_id>/similar", scope="search")
def similar(product_id: str) -> Response:
    """The products that look most like this one, itself excluded."""
    parameters = validated(Parameters, _in_url())
    return jsonify(_noted(queries.similar(_service(), product_id, parameters)))


@blueprint.get("/v1/products/<product_id:product_id>", scope="search")
def product(product_id: str) -> Response:
    """A product, its attributes and photos."""
    collection = validated(CollectionQuery, unrepeated(request.args)).collection
    with _service().searcher(collection).store.reader() as reader:
        found = find_product(reader, product_id)
    images = [
        {"image": image.uri, "image_url": image_url(collection, image)} for image in found.images
    ]
    return jsonify(
        product_id=product_id, collection=collection, attributes=found.attributes, images=images
    )


# Photos are what the store shows on its pages anyway, and <img> sends no key.
@blueprint.get("/v1/images/<int:image_id>", scope=None)
def image(image_id: int) -> WerkzeugResponse:
    """A photo of the catalogue."""
    collection = validated(CollectionQuery, unrepeated(request.args)).collection
    with _service().searcher(collection).store.reader() as reader:
        found = reader.images([image_id]).get(image_id)
    if found is None:
        raise UnknownImageError(f"there is no image {image_id} in collection {collection!r}")
    if is_url(found.location):
        return redirect(found.location)
    catalog = _service().store(collection).catalog
    return _sent(open_photo(catalog, found, _service().photos(collection).limits), found)


def _sent(file: FileIO, image: Image) -> WerkzeugResponse:
    """A file as it is; a client that has this content gets 304."""
    size = os.fstat(file.fileno()).st_size
    response = send_file(
        file, media_type(file), etag=image.content_hash, max_age=3600, conditional=False
    )
    response.content_length = size
    return response.make_conditional(request)


@blueprint.get("/healthz", scope=None)
def healthz() -> Response:
    """The process answers."""
    return jsonify(status="ok")


@blueprint.get("/readyz", scope=None)
def readyz() -> tuple[Response, HTTPStatus]:
    """Whether every collection can be searched; 503 until then."""
    states = _service().states()
    if stopping.is_set():
        states = [replace(state, status="stopping", detail="told to stop") for state in states]
    status = next((state.status for state in states if state.status != "ready"), "ready")
    code = HTTPStatus.OK if status == "ready" else HTTPStatus.SERVICE_UNAVAILABLE
    return jsonify(status=status, collections=[asdict(state) for state in states]), code


@blueprint.get("/metrics", scope="metrics")
def show() -> Response:
    """What the service counts and measures, for Prometheus."""
    text, content_type = metrics.exposition()
    return Response(text, content_type=content_type)


@blueprint.get("/", scope=None)
def page() -> Response:
    """The search page."""
    return current_app.send_static_file("index.html")


def _service() -> SearchService:
    service: SearchService = current_app.extensions["search"]
    return service


def _in_url() -> dict[str, Any]:
    return unrepeated(request.args, REPEATABLE)


def _noted(answer: Answer) -> dict[str, Any]:
    """The document of an answer, which is counted and written down."""
    events.note(answer)
    metrics.observe_stages(answer.took_ms)
    document = answer.document()
    g.log_fields = {key: document[key] for key in ("query_id", "collection", "seq", "took_ms")}
    return document

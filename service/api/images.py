"""Photos of the catalogue, and their thumbnails."""

import os
from io import FileIO
from typing import Annotated
from urllib.parse import urlencode

from flask import redirect, request, send_file
from pydantic import BeforeValidator, Field
from werkzeug.wrappers import Response

from indexer.fetch import is_url
from indexer.search import HASH_DIGITS, IMAGES
from indexer.store import Image, Store
from service.access.scopes import ScopedBlueprint
from service.api.schemas import OF_COLLECTION, CollectionQuery
from service.engine.originals import media_type
from service.engine.thumbnails import MEDIA_TYPE, ThumbnailWidth, key_of
from service.errors import OverloadedError, UnknownImageError
from service.http.caching import YEAR_S, kept
from service.http.context import search_service
from service.http.descriptions import NOT_MODIFIED, Description
from service.http.parsing import unrepeated, validated

blueprint = ScopedBlueprint("images", __name__)

_HOUR_S = 3600
_UNTIL_MADE_S = 60  # for which a photo may stand in for its thumbnail


def _number(text: object) -> object:
    return int(text) if isinstance(text, str) and text.isascii() and text.isdecimal() else text


class ImageQuery(CollectionQuery):
    """The parameters of a photo."""

    hash: Annotated[
        str | None,
        Field(
            min_length=HASH_DIGITS,
            max_length=HASH_DIGITS,
            description="Start of the SHA-256 of the photo, as in the addresses that searches"
            " return. The answer may then be cached for a year; another photo gets 404.",
        ),
    ] = None
    width: Annotated[
        ThumbnailWidth | None,
        BeforeValidator(_number),
        Field(
            description="Maximum width in pixels: a thumbnail in WebP, at most four times as high."
            " Without it, the answer is the file as indexed."
        ),
    ] = None


# The store shows the photos on public pages anyway, and <img> sends no key.
@blueprint.get(
    f"{IMAGES}/<int:image_id>",
    scope=None,
    description=Description(
        "getImage",
        {
            200: {"description": "The photo.", "content": {"image/*": {}}},
            302: {
                "description": "Redirects to the photo if it is on the web; of a thumbnail, also"
                " if none can be made now."
            },
            304: NOT_MODIFIED,
        },
        query=ImageQuery,
        raises=(*OF_COLLECTION, UnknownImageError),
    ),
)
def image(image_id: int) -> Response:
    """A photo of the catalogue."""
    query = validated(ImageQuery, unrepeated(request.args))
    service, collection = search_service(), query.collection
    with service.searcher(collection).store.reader() as reader:
        found = reader.images([image_id]).get(image_id)
    if found is None or not found.content_hash.startswith(query.hash or ""):
        raise UnknownImageError(f"there is no such image {image_id} in collection {collection!r}")
    store = service.store(collection)
    if query.width is not None:
        return _thumbnail(store, found, query, query.width)
    if is_url(found.location):
        return kept(redirect(found.location), _HOUR_S)
    return _sent(service.originals.open(store, found), found, query)


def _thumbnail(store: Store, found: Image, query: ImageQuery, width: ThumbnailWidth) -> Response:
    """Returns the response with a thumbnail, or a redirect to the photo."""
    response, etag = Response(content_type=MEDIA_TYPE), key_of(found, width)
    response.set_etag(etag)
    if not request.if_none_match.contains_weak(etag):
        try:
            data = search_service().thumbnails.of(store, found, width)
        except OverloadedError:  # a browser does not ask again for the picture of an <img>
            data = None
        if data is None:
            return kept(redirect(_address_of(found, query)), _UNTIL_MADE_S)
        response.set_data(data)
    return kept(response, _lifetime(query)).make_conditional(request)


def _address_of(found: Image, query: ImageQuery) -> str:
    """Returns the address of a whole photo."""
    if is_url(found.location):
        return found.location
    of_photo = {"collection", "hash"}
    return f"{request.path}?{urlencode(query.model_dump(include=of_photo, exclude_none=True))}"


def _sent(file: FileIO, found: Image, query: ImageQuery) -> Response:
    """Returns the response with a file; 304 if the client has this content."""
    size = os.fstat(file.fileno()).st_size
    response = send_file(file, media_type(file), etag=found.content_hash, conditional=False)
    response.content_length = size
    return kept(response, _lifetime(query)).make_conditional(request)


def _lifetime(query: ImageQuery) -> int:
    return YEAR_S if query.hash else _HOUR_S

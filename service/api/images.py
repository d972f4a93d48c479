"""Photos of the catalogue."""

import os
from io import FileIO

from flask import redirect, request, send_file
from werkzeug.wrappers import Response

from indexer.fetch import is_url
from indexer.search import IMAGES
from indexer.store import Image
from service.access.scopes import ScopedBlueprint
from service.api.schemas import OF_COLLECTION, CollectionQuery, collection_in_url
from service.engine.originals import media_type
from service.errors import UnknownImageError
from service.http.context import search_service
from service.http.descriptions import Description

blueprint = ScopedBlueprint("images", __name__)


# The store shows the photos on public pages anyway, and <img> sends no key.
@blueprint.get(
    f"{IMAGES}/<int:image_id>",
    scope=None,
    description=Description(
        "getImage",
        {
            200: {"description": "The photo.", "content": {"image/*": {}}},
            302: {"description": "The photo is on the web; redirects to its URL."},
            304: {"description": "The client has the photo, by its `ETag`."},
        },
        query=CollectionQuery,
        raises=(*OF_COLLECTION, UnknownImageError),
    ),
)
def image(image_id: int) -> Response:
    """A photo of the catalogue."""
    service, collection = search_service(), collection_in_url()
    with service.searcher(collection).store.reader() as reader:
        found = reader.images([image_id]).get(image_id)
    if found is None:
        raise UnknownImageError(f"there is no image {image_id} in collection {collection!r}")
    if is_url(found.location):
        return redirect(found.location)
    catalog = service.store(collection).catalog
    return _sent(service.originals.open(catalog, found), found)


def _sent(file: FileIO, image: Image) -> Response:
    """Returns the response with a file; 304 if the client has this content."""
    size = os.fstat(file.fileno()).st_size
    response = send_file(
        file, media_type(file), etag=image.content_hash, max_age=3600, conditional=False
    )
    response.content_length = size
    return response.make_conditional(request)

"""The titles and details of problems, written for clients.

Errors that name files, commands or settings have another text for clients; operators find the
original in the log and `/readyz`.
"""

from indexer import errors as domain
from indexer.errors import ImageSearchError
from indexer.events import EventsError, RatingsError, RatingsFullError

# The title of a kind of problem (RFC 9457, 3.1.3), by code. For other codes, the code itself in
# words.
_TITLES = {
    "bad_catalog": "Catalogue unavailable",
    "bad_filter": "Invalid filter",
    "bad_image": "Unusable photo",
    "bad_parameter": "Invalid parameter",
    "bad_request": "Malformed request",
    "catalog_missing": "Catalogue unavailable",
    "deadline_exceeded": "Search timed out",
    "error": "Internal error",
    "fetch_failed": "Photo could not be fetched",
    "fingerprint_mismatch": "Photo search unavailable",
    "forbidden": "API key not allowed to do this",
    "image_corrupt": "Damaged photo",
    "image_empty": "Empty photo",
    "image_too_large": "Photo too large",
    "image_truncated": "Incomplete photo",
    "image_url_disabled": "Photos by URL are disabled",
    "locked": "Catalogue busy",
    "method_not_allowed": "Wrong HTTP method",
    "not_found": "Unknown path",
    "not_ready": "Collection not ready",
    "overloaded": "Service busy",
    "precondition_failed": "Product changed meanwhile",
    "rate_limited": "Rate limit exceeded",
    "read_only": "Catalogue is read-only",
    "stale_cursor": "Catalogue changed between pages",
    "storage_unavailable": "Catalogue unavailable",
    "unauthorized": "API key required",
    "unsupported_by_model": "Not supported by the model",
    "unsupported_format": "Unsupported image format",
    "unsupported_media_type": "Unsupported content type",
}

_ASK = "ask the operator of this service"
# By class; other errors have the text of the nearest base class listed here.
_DETAILS: dict[type[ImageSearchError], str] = {
    domain.CatalogError: f"the catalogue cannot be read or written; {_ASK}",
    domain.StorageError: "the disk of the catalogue is not available now; try again later",
    domain.DiskFullError: f"the disk of the catalogue is full; {_ASK}",
    domain.ReadOnlyError: f"the disk of the catalogue is read-only; {_ASK}",
    domain.CatalogMissingError: "the catalogue is not there now; try again later",
    domain.LockedError: "another process is writing to this collection; try again later",
    EventsError: "events cannot be stored now; try again later",
    RatingsError: "ratings cannot be stored or read now; try again later",
    RatingsFullError: f"the file of ratings has its maximum size; {_ASK}",
}


def title_of(code: str) -> str:
    """Returns the title for a code, such as `Unknown product`."""
    return _TITLES.get(code, code.replace("_", " ").capitalize())


def detail_of(error: ImageSearchError, *, internal: bool = False) -> str:
    """Returns the detail for clients; `internal` if the fault is of the service."""
    for kind in type(error).__mro__:
        if kind in _DETAILS:
            return _DETAILS[kind]
    return f"an error inside the service; {_ASK}" if internal else error.text

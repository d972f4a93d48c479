"""The errors of the service, as `indexer.errors` has those of the library.

`service/http/problems.py` maps both to HTTP statuses.
"""

from indexer.errors import CatalogMissingError, ImageSearchError, LockedError

RETRY_AFTER_S = 2


class NotReadyError(ImageSearchError):
    """The collection's model or view is still being loaded, or could not be."""

    code = "not_ready"


class CollectionMissingError(NotReadyError):
    """The catalogue of the collection does not exist."""

    code = CatalogMissingError.code


class WriterBusyError(NotReadyError):
    """Another process is writing to the collection, and still was after a while."""

    code = LockedError.code


class OverloadedError(ImageSearchError):
    """Too many requests are in progress. Nothing was done."""

    code = "overloaded"

    def __init__(self, retry_after_s: int, requests: str = "searches") -> None:
        super().__init__(f"too many {requests} at once; try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class DeadlineError(ImageSearchError):
    """The photo did not get its turn in time."""

    code = "deadline_exceeded"

    def __init__(self) -> None:
        super().__init__(
            f"the photo was still queued at its deadline; try again in {RETRY_AFTER_S} s"
        )


class BadRequestError(ImageSearchError):
    """Malformed request."""

    code = "bad_request"


class RequestTooLargeError(ImageSearchError):
    """The body is larger than the endpoint takes, or has too many values."""

    code = "request_too_large"


class UnsupportedMediaTypeError(ImageSearchError):
    """The body is of a content type that the endpoint does not take."""

    code = "unsupported_media_type"


class ImageUrlDisabledError(ImageSearchError):
    """Photos are not fetched by address here."""

    code = "image_url_disabled"


class UnknownImageError(ImageSearchError):
    """There is no such photo, or its file is gone."""

    code = "unknown_image"


class AccessError(ImageSearchError):
    """The client may not send this request, or not now. `headers` go with the answer."""

    def __init__(self, text: str, headers: dict[str, str], hint: str = "") -> None:
        super().__init__(text, hint)
        self.headers = headers


class UnauthorizedError(AccessError):
    """There is no key in the request, or none that is valid."""

    code = "unauthorized"


class ForbiddenError(AccessError):
    """The key is valid, but for other things."""

    code = "forbidden"


class RateLimitedError(AccessError):
    """More requests than this client may send."""

    code = "rate_limited"

"""All errors of the service; those of the library are in `indexer.errors`.

`service/http/problems.py` maps both to HTTP statuses.
"""

from indexer.errors import CatalogMissingError, ImageSearchError, LockedError

RETRY_AFTER_S = 2


class NotReadyError(ImageSearchError):
    """The model or view of the collection is not loaded yet, or could not be loaded."""

    code = "not_ready"


class CollectionMissingError(NotReadyError):
    """The catalogue of the collection does not exist."""

    code = CatalogMissingError.code


class WriterBusyError(NotReadyError):
    """Another process held the writer lock of the collection for too long."""

    code = LockedError.code


class OverloadedError(ImageSearchError):
    """Too many requests are in progress; nothing was done."""

    code = "overloaded"

    def __init__(self, retry_after_s: int, requests: str = "searches") -> None:
        super().__init__(f"too many {requests} at once; try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class DeadlineError(ImageSearchError):
    """The photo was still queued at its deadline."""

    code = "deadline_exceeded"

    def __init__(self) -> None:
        super().__init__(
            f"the photo was still queued at its deadline; try again in {RETRY_AFTER_S} s"
        )


class BadRequestError(ImageSearchError):
    """Malformed request."""

    code = "bad_request"


class RequestTooLargeError(ImageSearchError):
    """The body is too large, or has too many values."""

    code = "request_too_large"


class UnsupportedMediaTypeError(ImageSearchError):
    """The endpoint does not accept the content type of the body."""

    code = "unsupported_media_type"


class ImageUrlDisabledError(ImageSearchError):
    """Fetching photos by URL is disabled."""

    code = "image_url_disabled"


class UnknownImageError(ImageSearchError):
    """The photo does not exist, or its file was removed."""

    code = "unknown_image"


class StaleCursorError(ImageSearchError):
    """The catalogue has changed since the page that the cursor is from."""

    code = "stale_cursor"


class AccessError(ImageSearchError):
    """The client may not send this request; `headers` are sent with the response."""

    def __init__(self, text: str, headers: dict[str, str], hint: str = "") -> None:
        super().__init__(text, hint)
        self.headers = headers


class UnauthorizedError(AccessError):
    """The request has no valid key."""

    code = "unauthorized"


class ForbiddenError(AccessError):
    """The key is valid but lacks the scope."""

    code = "forbidden"


class RateLimitedError(AccessError):
    """The client exceeds a rate limit."""

    code = "rate_limited"

"""Errors of requests."""

from collections.abc import Mapping
from typing import Any


class SearchError(Exception):
    """Base of all errors of this package."""


class UnreachableError(SearchError):
    """There was no response: wrong address, no network connection, or a timeout."""


class ChangedError(SearchError):
    """The catalogue changed between two pages, so further pages could repeat or miss products.

    Results already read are correct. Start again to get all results of one version.

    Attributes:
        first: `seq` of the first page.
        now: `seq` of the current page.
    """

    def __init__(self, first: int, now: int) -> None:
        super().__init__(f"the catalogue changed between pages, from seq {first} to {now}")
        self.first = first
        self.now = now


class ProblemError(SearchError):
    """The service returned an error.

    Attributes:
        status: HTTP status.
        code: stable code for programs: `unknown_product`, `bad_filter`, `overloaded`, ...
        detail: text for people.
        retry_after: seconds to wait before a retry; None if the service does not say.
    """

    def __init__(self, status: int, code: str, detail: str, retry_after: float | None) -> None:
        super().__init__(f"{detail} ({status} {code})")
        self.status = status
        self.code = code
        self.detail = detail
        self.retry_after = retry_after

    @classmethod
    def of(cls, status: int, document: Any, retry_after: float | None = None) -> "ProblemError":
        """Creates the error from a problem document (RFC 9457), or from a proxy's response."""
        known = document if isinstance(document, Mapping) else {}
        code = str(known.get("code", "unexpected_answer"))
        return cls(status, code, str(known.get("detail", "no problem document")), retry_after)

"""What can go wrong with a request."""

from collections.abc import Mapping
from typing import Any


class SearchError(Exception):
    """Base of all errors of this package."""


class UnreachableError(SearchError):
    """Nothing came back: wrong address, no network, or the service took too long."""


class ChangedError(SearchError):
    """The catalogue changed between two pages, so the pages may repeat or lack products.

    Results that were read stay right for themselves. Start again for all of one state.

    Attributes:
        first: `seq` of the first page.
        now: `seq` of the page that came now.
    """

    def __init__(self, first: int, now: int) -> None:
        super().__init__(f"the catalogue changed between pages, from seq {first} to {now}")
        self.first = first
        self.now = now


class ProblemError(SearchError):
    """The service refused.

    Attributes:
        status: of HTTP.
        code: stable, for programs: `unknown_product`, `bad_filter`, `overloaded`, ...
        detail: for people.
        retry_after: seconds after which to ask again, None if the service does not say.
    """

    def __init__(self, status: int, code: str, detail: str, retry_after: float | None) -> None:
        super().__init__(f"{detail} ({status} {code})")
        self.status = status
        self.code = code
        self.detail = detail
        self.retry_after = retry_after

    @classmethod
    def of(cls, status: int, document: Any, retry_after: float | None = None) -> "ProblemError":
        """From a problem document (RFC 9457), or from what a proxy sent in its place."""
        known = document if isinstance(document, Mapping) else {}
        code = str(known.get("code", "unexpected_answer"))
        return cls(status, code, str(known.get("detail", "no problem document came")), retry_after)

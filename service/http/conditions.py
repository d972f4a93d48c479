"""Preconditions of changes: `If-Match` and `If-None-Match` (RFC 9110, 13.1)."""

from flask import request

from indexer.ingest.editing import Precondition
from service.errors import BadRequestError


def precondition() -> Precondition | None:
    """Returns the precondition of the current request on a stored product; None without one.

    Raises:
        BadRequestError: a header has no entity tag, which must not count as no precondition.
    """
    wanted, unwanted = request.if_match, request.if_none_match
    for name, tags in (("If-Match", wanted), ("If-None-Match", unwanted)):
        if name in request.headers and not tags:
            raise BadRequestError(f'{name}: received no entity tag; send `*` or `"…"` as in ETag')
    if not wanted and not unwanted:
        return None

    def holds(revision: str | None) -> bool:
        if revision is None:
            return not wanted
        return (not wanted or wanted.contains(revision)) and not unwanted.contains_weak(revision)

    return holds

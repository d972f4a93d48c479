"""Paging through a ranking with cursors, which are bound to the state that was searched."""

from hashlib import sha256
from typing import Annotated, Any, TypeVar

from flask import request
from pydantic import Field

from indexer.errors import BadParameterError
from indexer.search import Answer, SearchParameters
from indexer.search.parameters import MAX_DEDUP_DEPTH, MAX_OFFSET
from service.api.cursors import encoded, values_of
from service.errors import StaleCursorError
from service.http.parsing import validated

ParametersT = TypeVar("ParametersT", bound="PagedParameters")
# What may differ between the pages of a ranking.
_OF_A_PAGE = {"limit", "offset", "cursor", "facets", "image_base64", "image_url"}


class PagedParameters(SearchParameters):
    """The parameters of a search, with a cursor."""

    cursor: Annotated[
        str | None,
        Field(
            max_length=200,
            description="`next` of the previous page, instead of `offset`: the page after it in the"
            " same ranking, or 409 `stale_cursor` if the catalogue has changed. Send the photo and"
            " the other parameters again.",
        ),
    ] = None


def at_cursor(parameters: ParametersT) -> ParametersT:
    """Returns the parameters with the offset of their cursor, if they have one.

    Raises:
        BadParameterError: the cursor is not one, or is of another query, or `dedup` does not allow
            its page.
    """
    if parameters.cursor is None:
        return parameters
    if "offset" in parameters.model_fields_set:
        raise BadParameterError("cursor: received with offset; send one of them")
    _, offset, query = values_of(parameters.cursor, int, int, str)
    if query != _digest(parameters):
        raise BadParameterError(
            "cursor: received that of another query; repeat all parameters of the previous page,"
            " except limit and facets"
        )
    # Validated again: `limit` may differ from that of the previous page.
    sent = parameters.model_dump(exclude_unset=True)
    return validated(type(parameters), {**sent, "offset": offset})


def paged(answer: Answer, parameters: PagedParameters) -> dict[str, Any]:
    """Returns the members of an answer that are about its pages.

    Raises:
        StaleCursorError: the catalogue has changed since the page before.
    """
    if parameters.cursor is not None:
        seq, _, _ = values_of(parameters.cursor, int, int, str)
        if seq != answer.seq:
            raise StaleCursorError(
                f"the catalogue has changed since the previous page, from {seq} to {answer.seq};"
                " start again with the first page"
            )
    offset = parameters.offset + parameters.limit
    deepest = MAX_OFFSET if parameters.dedup is None else MAX_DEDUP_DEPTH - parameters.limit
    full = len(answer.matches) == parameters.limit
    more = full and offset < answer.total and offset <= deepest
    return {"next": encoded(answer.seq, offset, _digest(parameters)) if more else None}


def _digest(parameters: PagedParameters) -> str:
    query = parameters.model_dump_json(exclude=_OF_A_PAGE)
    return sha256(f"{request.view_args} {query}".encode()).hexdigest()[:16]

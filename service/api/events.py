"""Events: what shoppers did with results. Also records the results of searches."""

from typing import Annotated

from flask import Flask, current_app
from pydantic import BaseModel, ConfigDict, Field

from indexer.config import Settings
from indexer.errors import BadParameterError, DiskFullError, ReadOnlyError
from indexer.events import (
    Action,
    Event,
    EventsError,
    EventStore,
    Recorder,
    UnknownQueryError,
)
from indexer.search import Answer
from indexer.validation import Matching
from service.access.guard import charge
from service.access.scopes import ScopedBlueprint
from service.api.schemas import OF_BODY
from service.http.descriptions import JSON, Description
from service.http.examples import EVENT, example
from service.http.parsing import json_body, require_no_query, validated

MAX_EVENTS = 1000
# The maximum number of events with the longest product_ids, as JSON with non-ASCII escaped.
MAX_BYTES = 8 * 1024 * 1024

blueprint = ScopedBlueprint("events", __name__)


class EventBody(BaseModel):
    """What a shopper did with one result."""

    model_config = ConfigDict(extra="forbid") | example(EVENT)

    query_id: Annotated[
        str,
        Matching("^[0-9a-f]{32}$", "the query_id of an answer (32 hexadecimal digits)"),
        Field(
            description="Of the answer with the result.",
            examples=["9a0b2c4d6e8f40718293a4b5c6d7e8f9"],
        ),
    ]
    product_id: Annotated[
        str, Field(min_length=1, max_length=512, description="Of the result.", examples=["boot-7"])
    ]
    action: Annotated[
        Action, Field(description="What the shopper did; each action on a result counts once.")
    ]

    def event(self) -> Event:
        return Event(self.query_id, self.product_id, self.action)


class EventsBody(BaseModel):
    """Several events; if one is invalid, none is stored."""

    model_config = ConfigDict(extra="forbid")

    events: Annotated[list[EventBody], Field(fail_fast=True, min_length=1, max_length=MAX_EVENTS)]


def register(app: Flask, settings: Settings) -> None:
    """Gives the application a recorder, unless the settings disable recording."""
    days = settings.events.keep_days
    app.extensions["events"] = (
        Recorder(EventStore(settings.storage.data_dir, settings.events.max_mib), days)
        if days
        else None
    )


def note(answer: Answer) -> Answer:
    """Records the results of an answer; returns it with its `query_id`. Takes microseconds."""
    recorder = _recorder()
    return recorder.note(answer) if recorder else answer


@blueprint.post(
    "/v1/events",
    scope="events",
    description=Description(
        "addEvents",
        {204: {"description": "Stored."}},
        body={JSON: {"anyOf": [EventBody, EventsBody]}},
        raises=(
            BadParameterError,
            *OF_BODY,
            UnknownQueryError,
            EventsError,
            DiskFullError,
            ReadOnlyError,
        ),
    ),
)
def add() -> tuple[str, int]:
    """Report what shoppers did with results; durable when answered."""
    require_no_query()
    document = json_body(max_bytes=MAX_BYTES)
    if isinstance(document, dict) and "events" in document:
        events = validated(EventsBody, document).events
    else:
        events = [validated(EventBody, document)]
    charge(len(events))
    if recorder := _recorder():
        recorder.add([body.event() for body in events])
    return "", 204


def _recorder() -> Recorder | None:
    recorder: Recorder | None = current_app.extensions["events"]
    return recorder

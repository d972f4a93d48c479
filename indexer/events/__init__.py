"""What searches showed and what shoppers did with it: recorded beside the searches, reported.

Nothing in here tells who searched: no address, no photo, no browser.
"""

from indexer.events.ids import UnknownQueryError
from indexer.events.recorder import Recorder
from indexer.events.report import Report, report
from indexer.events.store import ACTIONS, Action, Event, EventsError, EventStore

__all__ = [
    "ACTIONS",
    "Action",
    "Event",
    "EventStore",
    "EventsError",
    "Recorder",
    "Report",
    "UnknownQueryError",
    "report",
]

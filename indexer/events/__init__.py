"""Records search results and shopper events, and reports on them.

No personal data is stored: no address, no photo, no browser.
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

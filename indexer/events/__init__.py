"""Records search results and shopper events, reports on them, and keeps raters' judgements.

No personal data is stored: no address, no photo, no browser; of raters the name they enter.
"""

from indexer.events.ids import UnknownQueryError
from indexer.events.ratings import (
    GRADES,
    MAX_PRODUCT_ID,
    RATER,
    Grade,
    RatedQuery,
    Rating,
    RatingsError,
    RatingsFullError,
    RatingStore,
    rater_name,
)
from indexer.events.recorder import Recorder
from indexer.events.report import Report, report
from indexer.events.store import ACTIONS, Action, Event, EventsError, EventStore

__all__ = [
    "ACTIONS",
    "GRADES",
    "MAX_PRODUCT_ID",
    "RATER",
    "Action",
    "Event",
    "EventStore",
    "EventsError",
    "Grade",
    "RatedQuery",
    "Rating",
    "RatingStore",
    "RatingsError",
    "RatingsFullError",
    "Recorder",
    "Report",
    "UnknownQueryError",
    "rater_name",
    "report",
]

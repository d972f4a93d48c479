"""Records search results in the background, at the cost of a list append per search."""

import atexit
import logging
import math
import time
from collections import deque
from collections.abc import Collection
from dataclasses import replace
from threading import Event as Signal
from threading import Lock, Thread

from indexer.events.ids import QueryIds
from indexer.events.store import Event, EventsError, EventsReadOnlyError, EventStore, Query
from indexer.search import Answer

log = logging.getLogger(__name__)

# Limit of searches waiting to be written; further ones are dropped.
_MAX_WAITING = 10_000
_INTERVAL_S = 0.2
_PURGE_EVERY_S = 3600
_DAY_S = 86_400


class Recorder:
    """Writes queries in the background and events at once. Thread-safe; one per process.

    Args:
        store: to write to; may be shared with other processes.
        keep_days: retention in days.
    """

    def __init__(self, store: EventStore, keep_days: int) -> None:
        self._store = store
        self._ids = QueryIds(store.path.parent)
        self._keep_s = keep_days * _DAY_S
        self._waiting: deque[Query] = deque()
        self._dropped = 0
        self._without_id, self._reason = 0, ""
        self._purged_at = -math.inf
        self._stopped = Signal()
        self._starting = Lock()
        self._thread: Thread | None = None

    def note(self, answer: Answer) -> Answer:
        """Records the results of a search; returns the answer with the id to which events refer.

        Never blocks and never fails: if no id can be issued, the answer keeps its own.
        """
        self._start()
        at = int(time.time())
        try:
            answer = replace(answer, query_id=self._ids.new(at))
        except EventsError as error:
            self._without_id, self._reason = self._without_id + 1, str(error)
            return answer
        if len(self._waiting) >= _MAX_WAITING:
            self._dropped += 1
            return answer
        shown = tuple((match.product.product_id, match.score) for match in answer.matches)
        first = answer.offset + 1
        self._waiting.append(
            Query(answer.query_id, answer.collection, at, answer.kind, first, shown)
        )
        return answer

    def add(self, events: Collection[Event]) -> None:
        """Stores events. They are durable when this returns.

        Raises:
            UnknownQueryError: an event has an unknown query id; no event is stored.
            EventsError: the events cannot be stored.
        """
        self._start()
        at = int(time.time())
        for event in events:
            self._ids.require(event.query_id, since=at - self._keep_s)
        self._store.add_events(events, at)

    def flush(self) -> None:
        """Writes the waiting queries; if that fails, logs the error and drops them."""
        queries = [self._waiting.popleft() for _ in range(len(self._waiting))]
        if queries:
            try:
                self._store.add_queries(queries)
            except EventsError as error:
                log.error("%d searches are not recorded: %s", len(queries), error)
        if time.monotonic() - self._purged_at > _PURGE_EVERY_S:
            self._purged_at = time.monotonic()
            self._purge()
        if self._without_id:
            log.error("%d searches are not recorded: %s", self._without_id, self._reason)
            self._without_id = 0
        if self._dropped:
            log.warning("%d searches are not recorded: too many at once", self._dropped)
            self._dropped = 0

    def _purge(self) -> None:
        try:
            self._store.purge(int(time.time()) - self._keep_s)
        except EventsReadOnlyError:
            pass  # nothing can be added either
        except EventsError as error:
            log.error("old searches and events are not deleted: %s", error)

    def stop(self) -> None:
        """Writes the waiting queries and stops the thread."""
        atexit.unregister(self.stop)
        self._stopped.set()
        if self._thread:
            self._thread.join()
        self.flush()
        self._store.close()

    def _start(self) -> None:
        """Starts the thread on first use, which is after the fork."""
        if self._thread:
            return
        with self._starting:
            if self._thread is None:
                atexit.register(self.stop)
                self._thread = Thread(target=self._run, name="recorder", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while not self._stopped.wait(_INTERVAL_S):
            self.flush()

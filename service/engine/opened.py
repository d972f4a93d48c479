"""Opens the collections of a process, follows their changes, and opens failed ones again.

Two threads of low priority do this: one opens collections, which may load a model, the other
refreshes open ones. A collection that cannot be opened delays no other.

A damaged collection is `failed` until it was opened again with a check of all stored data. Until
then, searches that do not read the damaged data are answered.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from indexer.errors import CatalogMissingError, DamagedError, ImageSearchError
from indexer.search import Searcher
from service.engine import metrics
from service.engine.sizing import yield_to_requests
from service.engine.states import FAILED, MISSING

log = logging.getLogger(__name__)

# A change of the catalogue is visible within a second; checking for one takes microseconds.
_INTERVAL_S = 0.2
# Waits between attempts to open a collection; each is twice the previous one. Whether a missing
# catalogue exists now is checked at every interval.
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 15.0


@dataclass(frozen=True)
class Failure:
    """Why a collection is not ready.

    Attributes:
        status: as in `/readyz`.
        detail: the reason.
        damaged: whether stored data is damaged.
    """

    status: str
    detail: str
    damaged: bool = False


@dataclass
class _Attempts:
    """Decides when to try next."""

    at: float = 0.0
    wait_s: float = _FIRST_WAIT_S

    def put_off(self) -> None:
        self.at = time.monotonic() + self.wait_s
        self.wait_s = min(2 * self.wait_s, _LONGEST_WAIT_S)


class OpenedCollections:
    """The searchers of the collections that are open.

    Args:
        names: of all collections.
        open_: opens one.
        refresh: brings one up to date.
        load_model: loads the model of one unless it is loaded; returns whether it is.

    Attributes:
        tried: set when each was opened, or could not be.
    """

    def __init__(
        self,
        names: Iterable[str],
        open_: Callable[[str], Searcher],
        refresh: Callable[[Searcher], object],
        load_model: Callable[[Searcher], bool],
    ) -> None:
        self._open = open_
        self._refresh = refresh
        self._load_model = load_model
        self._searchers: dict[str, Searcher] = {}
        self._failures: dict[str, Failure] = {}
        self._with_model: set[str] = set()
        self._attempts = {name: _Attempts() for name in names}
        self._stopped = threading.Event()
        self.tried = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(step,), name=name, daemon=True)
            for name, step in (("opener", self._open_all), ("refresher", self._refresh_all))
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stops the background work and closes the catalogues."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()
        for searcher in self._searchers.values():
            searcher.store.close()

    def searcher(self, name: str) -> Searcher | None:
        """Returns the searcher of a collection; None if it is not open."""
        return self._searchers.get(name)

    def failure(self, name: str) -> Failure | None:
        """Returns why the last attempt to open or refresh the collection failed."""
        return self._failures.get(name)

    def _run(self, step: Callable[[], None]) -> None:
        yield_to_requests()
        while True:
            step()
            if self._stopped.wait(_INTERVAL_S):
                return

    def _open_all(self) -> None:
        for name, attempts in self._attempts.items():
            if time.monotonic() < attempts.at or self._stopped.is_set():
                continue
            failure = self._failures.get(name)
            searcher = self._searchers.get(name)
            if searcher and not (failure and failure.damaged):
                self._complete(searcher, attempts)
                continue
            failure = self._attempt(name, partial(self._add, name))
            if failure is None:
                attempts.wait_s = _FIRST_WAIT_S
            elif failure.status != MISSING:
                attempts.put_off()
        self.tried.set()

    def _complete(self, searcher: Searcher, attempts: _Attempts) -> None:
        """Loads the model of a collection that was opened without it."""
        if searcher.name not in self._with_model:
            if self._load_model(searcher):
                self._with_model.add(searcher.name)
            else:
                attempts.put_off()

    def _add(self, name: str) -> None:
        before = self._searchers.get(name)
        self._searchers[name] = self._open(name)
        if before:
            before.store.close()  # searches in flight keep their connections

    def _refresh_all(self) -> None:
        for name, searcher in list(self._searchers.items()):
            failure = self._attempt(name, partial(self._refresh, searcher))
            if failure is None or failure.status != MISSING:
                continue
            if self._searchers.get(name) is searcher:  # the other thread may have replaced it
                del self._searchers[name]
                searcher.store.close()  # searches in flight keep their connections

    def _attempt(self, name: str, step: Callable[[], object]) -> Failure | None:
        """Runs a step for a collection; logs the same failure once."""
        before = self._failures.get(name)
        try:
            step()
        except ImageSearchError as error:
            failure = failure_of(error)
            if before and before.damaged and failure.damaged:
                failure = before  # a full check may report other damage first
            if failure != before:
                log.error("collection %s: %s", name, error)
        except Exception:  # the next change may succeed
            failure = Failure(FAILED, "an unexpected error; it was logged")
            if failure != before:
                log.exception("collection %s cannot be used", name)
        else:
            if self._failures.pop(name, None):
                log.warning("collection %s can be searched again", name)
            return None
        self._failures[name] = failure
        metrics.READY.labels(name).set(0)
        return failure


def failure_of(error: ImageSearchError) -> Failure:
    """Returns the failure that `/readyz` shows for an error."""
    status = MISSING if isinstance(error, CatalogMissingError) else FAILED
    return Failure(status, str(error), isinstance(error, DamagedError))

"""Computes results ahead of their use: in threads, in order, in limited number."""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from types import TracebackType
from typing import Self, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Lanes:
    """Threads that run a limited number of the calls of each lane at once, such as of a host.

    A call that waits for its lane occupies no thread, so a slow lane does not delay the others.
    At the end of the block, running calls finish and waiting ones are dropped.

    Args:
        number: of threads.
        limit: returns the maximum of concurrent calls of a lane.
    """

    def __init__(self, number: int, limit: Callable[[str], int]) -> None:
        self._pool = ThreadPoolExecutor(number)
        self._limit = limit
        self._lock = Lock()
        self._running = Counter[str]()
        self._waiting: dict[str, deque[Callable[[], None]]] = {}
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._closed = True
            self._waiting.clear()
        self._pool.shutdown(cancel_futures=True)

    def submit(self, lane: str, call: Callable[[], R]) -> Future[R]:
        """Runs `call` as soon as its lane has room and a thread is free."""
        future: Future[R] = Future()

        def run() -> None:
            try:
                future.set_result(call())
            except BaseException as error:
                future.set_exception(error)
            self._finished(lane)

        with self._lock:
            if self._running[lane] < self._limit(lane):
                self._running[lane] += 1
                self._pool.submit(run)
            else:
                self._waiting.setdefault(lane, deque()).append(run)
        return future

    def _finished(self, lane: str) -> None:
        with self._lock:
            waiting = self._waiting.get(lane)
            if waiting and not self._closed:
                self._pool.submit(waiting.popleft())
            else:
                self._running[lane] -= 1


def ahead(begin: Callable[[T], Callable[[], R]], items: Iterable[T], limit: int) -> Iterator[R]:
    """Yields the result of each item, in order.

    While the caller uses a result, up to `limit` of the following ones are computed. Items are
    drawn in the caller's thread. An error is raised in the place of its result; with a limit of 1,
    no later item has been begun by then.

    Args:
        begin: begins the work on an item in another thread; returns what waits for its result.
        items: to work on.
        limit: of results computed ahead.
    """
    pending: deque[Callable[[], R]] = deque()
    for item in items:
        if len(pending) == limit:
            yield pending.popleft()()
        pending.append(begin(item))
    while pending:
        yield pending.popleft()()

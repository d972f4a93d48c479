"""Computes results ahead of their use: in threads, in order, in limited number."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


@contextmanager
def threads(number: int) -> Iterator[Executor]:
    """Provides threads; at the end, running calls finish and waiting ones are dropped."""
    pool = ThreadPoolExecutor(number)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def ahead(
    pool: Executor, function: Callable[[T], R], items: Iterable[T], limit: int
) -> Iterator[R]:
    """Yields `function(item)` for each item, in order.

    While the caller uses a result, the pool computes up to `limit` of the following ones. Items
    are drawn in the caller's thread. An error is raised in the place of its result; with a limit
    of 1, no later call has started by then.
    """
    pending: deque[Future[R]] = deque()
    for item in items:
        if len(pending) == limit:
            yield pending.popleft().result()
        pending.append(pool.submit(function, item))
    while pending:
        yield pending.popleft().result()

"""Doing the next things already while the last one is used: threads, in order, bounded."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


@contextmanager
def threads(number: int) -> Iterator[Executor]:
    """Threads that are gone at the end: what they have begun they finish, the rest is dropped."""
    pool = ThreadPoolExecutor(number)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def ahead(pool: Executor, function: Callable[[T], R], items: Iterable[T], most: int) -> Iterator[R]:
    """`function` of every item, in the order of the items, which the caller's thread draws.

    While the caller uses a result or an item is drawn, the pool works on those that follow: on
    `most` of them, so that no more than these are held. An error is raised in its place in the
    order; at `most` 1 nothing has been begun by then that comes after it.
    """
    pending: deque[Future[R]] = deque()
    for item in items:
        if len(pending) == most:
            yield pending.popleft().result()
        pending.append(pool.submit(function, item))
    while pending:
        yield pending.popleft().result()

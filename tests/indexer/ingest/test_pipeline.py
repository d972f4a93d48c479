"""Working ahead keeps the order, holds little, and begins nothing after an error."""

import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.ingest.pipeline import ahead, threads


@given(st.lists(st.integers()), st.integers(1, 5), st.integers(1, 5))
def test_results_come_in_the_order_of_the_items(items: list[int], number: int, most: int) -> None:
    with threads(number) as pool:
        assert list(ahead(pool, lambda item: item * 2, items, most)) == [n * 2 for n in items]


def test_no_more_items_are_drawn_than_may_be_held() -> None:
    drawn = 0

    def items() -> Iterator[int]:
        nonlocal drawn
        while drawn < 100:
            drawn += 1
            yield drawn

    with threads(2) as pool:
        for used, _ in enumerate(ahead(pool, abs, items(), 8)):
            assert drawn - used <= 9  # those that are held, and one at hand


def test_the_next_item_is_drawn_while_the_last_is_worked_on() -> None:
    drawn = threading.Event()

    def items() -> Iterator[int]:
        yield 1
        drawn.set()
        yield 2

    with threads(1) as pool:
        assert list(ahead(pool, lambda _: drawn.wait(10), items(), 1)) == [True, True]


def test_one_ahead_nothing_is_begun_after_an_error() -> None:
    begun = []

    def fail_at_two(item: int) -> int:
        begun.append(item)
        time.sleep(0.001)
        return 1 // (item - 2)

    with threads(1) as pool, pytest.raises(ZeroDivisionError):
        list(ahead(pool, fail_at_two, range(10), 1))
    assert begun == [0, 1, 2]


def test_an_error_drops_what_is_waiting_and_finishes_what_is_begun() -> None:
    begun, finished = [], []

    def slow(item: int) -> None:
        begun.append(item)
        time.sleep(0.01)
        finished.append(item)

    def items() -> Iterator[int]:
        yield from range(20)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), threads(2) as pool:
        list(ahead(pool, slow, items(), 50))
    assert sorted(begun) == sorted(finished)
    assert len(begun) < 20

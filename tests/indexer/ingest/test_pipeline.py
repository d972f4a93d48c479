"""Working ahead keeps the order, holds little, and begins nothing after an error."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.ingest.pipeline import Lanes, ahead


def in_one_lane(
    threads: int, function: Callable[[int], object], items: Iterable[int], limit: int
) -> Iterator[object]:
    with Lanes(threads, lambda _: threads) as lanes:
        yield from ahead(lambda item: lanes.submit("", lambda: function(item)).result, items, limit)


@given(st.lists(st.integers()), st.integers(1, 5), st.integers(1, 5))
def test_results_come_in_the_order_of_the_items(items: list[int], number: int, most: int) -> None:
    assert list(in_one_lane(number, lambda item: item * 2, items, most)) == [n * 2 for n in items]


def test_no_more_items_are_drawn_than_may_be_held() -> None:
    drawn = 0

    def items() -> Iterator[int]:
        nonlocal drawn
        while drawn < 100:
            drawn += 1
            yield drawn

    for used, _ in enumerate(in_one_lane(2, abs, items(), 8)):
        assert drawn - used <= 9  # those that are held, and one at hand


def test_the_next_item_is_drawn_while_the_last_is_worked_on() -> None:
    drawn = threading.Event()

    def items() -> Iterator[int]:
        yield 1
        drawn.set()
        yield 2

    assert list(in_one_lane(1, lambda _: drawn.wait(10), items(), 1)) == [True, True]


def test_one_ahead_nothing_is_begun_after_an_error() -> None:
    begun = []

    def fail_at_two(item: int) -> int:
        begun.append(item)
        time.sleep(0.001)
        return 1 // (item - 2)

    with pytest.raises(ZeroDivisionError):
        list(in_one_lane(1, fail_at_two, range(10), 1))
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

    with pytest.raises(KeyboardInterrupt):
        list(in_one_lane(2, slow, items(), 50))
    assert sorted(begun) == sorted(finished)
    assert len(begun) < 20


@given(
    st.lists(st.sampled_from("abc"), max_size=30),
    st.integers(1, 4),
    st.fixed_dictionaries({lane: st.integers(1, 3) for lane in "abc"}),
)
def test_no_lane_has_more_calls_at_once_than_its_limit(
    calls: list[str], threads: int, limits: dict[str, int]
) -> None:
    running, most, lock = Counter[str](), Counter[str](), threading.Lock()

    def call(lane: str) -> str:
        with lock:
            running[lane] += 1
            most[lane] = max(most[lane], running[lane])
        time.sleep(0.0002)
        with lock:
            running[lane] -= 1
        return lane

    with Lanes(threads, limits.__getitem__) as lanes:
        futures = [lanes.submit(lane, partial(call, lane)) for lane in calls]
        assert [future.result(10) for future in futures] == calls
    assert all(most[lane] <= min(limits[lane], threads) for lane in "abc")


def test_a_full_lane_does_not_delay_another() -> None:
    opened = threading.Event()
    with Lanes(3, lambda _: 2) as lanes:
        slow = [lanes.submit("slow", lambda: opened.wait(10)) for _ in range(10)]
        assert lanes.submit("fast", lambda: "done").result(5) == "done"
        opened.set()
        assert all(future.result(5) for future in slow)

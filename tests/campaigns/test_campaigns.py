"""Every campaign, in small. Their full sizes and results are in docs/reliability.md."""

import pytest

from tests.campaigns import (
    connections,
    corruption,
    fuzz_feeds,
    fuzz_images,
    fuzz_requests,
    kill,
    model,
    readers,
    torn,
)
from tests.campaigns.fuzz_target import can_measure
from tests.campaigns.worker import can_inject

injecting = pytest.mark.skipif(not can_inject(), reason="needs Linux and a C compiler, cc")
measuring = pytest.mark.skipif(not can_measure, reason="Linux counts the memory")


@injecting
def test_a_process_that_is_killed_loses_nothing_that_it_acknowledged() -> None:
    kill.run(seed=1, size=40)


@injecting
def test_power_cuts_full_disks_and_failing_calls_leave_all_or_nothing() -> None:
    torn.run(seed=1, size=60)


def test_damage_is_found_and_never_answered() -> None:
    corruption.run(seed=1, size=120)


def test_random_operations_leave_what_a_dictionary_holds() -> None:
    model.run(seed=1, size=200)


def test_services_answer_rightly_while_their_index_is_swapped() -> None:
    readers.run(seed=1, size=12)


@measuring
def test_damaged_photos_are_taken_or_refused_and_harm_nothing() -> None:
    fuzz_images.run(seed=1, size=250)


@measuring
def test_requests_right_and_wrong_are_answered_as_documented_and_harm_nothing() -> None:
    fuzz_requests.run(seed=1, size=250)


def test_clients_that_leave_a_connection_hanging_delay_nobody() -> None:
    connections.run(seed=1, size=150)


def test_damaged_feeds_lose_no_product_and_each_bad_row_is_told_once() -> None:
    fuzz_feeds.run(seed=1, size=40)

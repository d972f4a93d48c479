"""The simulation of the capacity page agrees with what queueing theory knows."""

import numpy as np
import pytest

from benchmarks.capacity import Load, at_random, by_turns, least_busy, simulate

REQUESTS = 60_000


@pytest.mark.parametrize("utilisation", [0.5, 0.8])
def test_one_replica_waits_as_the_formula_of_pollaczek_and_khinchine_says(
    utilisation: float,
) -> None:
    load = Load(1, utilisation, rate=100, variation=0.5, max_wait_s=1e9)
    expected = utilisation / (1 - utilisation) * (1 + 0.5**2) / 2 / 100
    assert np.mean(simulate(load, least_busy, REQUESTS).waits) == pytest.approx(expected, rel=0.1)


def test_replicas_chosen_at_random_are_each_a_queue_of_its_own() -> None:
    one = simulate(Load(1, 0.8, rate=100, max_wait_s=1e9), least_busy, REQUESTS)
    four = simulate(Load(4, 0.8, rate=100, max_wait_s=1e9), at_random(1), REQUESTS)
    assert np.mean(four.waits) == pytest.approx(np.mean(one.waits), rel=0.15)


def test_the_better_the_choice_the_shorter_the_wait() -> None:
    load = Load(4, 0.8, rate=100)
    waits = [
        np.percentile(simulate(load, policy, REQUESTS).waits, 95)
        for policy in (least_busy, by_turns(), at_random(1))
    ]
    assert waits == sorted(waits)


def test_above_the_capacity_the_excess_is_refused_and_nobody_waits_longer_than_allowed() -> None:
    outcome = simulate(Load(2, 1.25, rate=100), least_busy, REQUESTS)
    assert outcome.refused == pytest.approx(0.2, abs=0.01)
    assert max(outcome.waits) <= 1.0

"""Simulates photo searches over several replicas: response time against utilisation.

    python -m benchmarks.capacity --rate 104 --alone-ms 17.4

Photos arrive at random (a Poisson process) at a load balancer. Each replica computes one photo at
a time, in the order of arrival, as the model uses all its cores; the rest of a response runs beside
other photos. A replica refuses a photo whose wait would exceed `service.max_wait_s`. The rate and
the response time without load are measured by `benchmarks.service_load`.
"""

import argparse
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np

UTILISATIONS = (0.5, 0.7, 0.8, 0.9, 0.95)
REPLICAS = (1, 2, 4, 8)
REQUESTS = 200_000
SEED = 20_261_122
# Of the time that the model is occupied by a photo: standard deviation relative to the mean.
VARIATION = 0.5
MAX_WAIT_S = 1.0

# In-flight requests of each replica -> the replica that gets the next one.
Policy = Callable[[Sequence[int]], int]


@dataclass(frozen=True)
class Load:
    """What arrives at how many replicas.

    Attributes:
        replicas: their number.
        utilisation: arriving photos relative to the capacity of all replicas.
        rate: photos per second that one replica can compute.
        variation: of the time per photo, relative to its mean; 1 is an exponential distribution.
        max_wait_s: a longer wait is refused.
    """

    replicas: int
    utilisation: float
    rate: float
    variation: float = VARIATION
    max_wait_s: float = MAX_WAIT_S


@dataclass(frozen=True)
class Outcome:
    """Waits of the accepted photos in seconds, without the time of their own computation.

    `refused` is the fraction of photos that got 503.
    """

    waits: Sequence[float]
    refused: float


def least_busy(in_flight: Sequence[int]) -> int:
    """Chooses the replica with the fewest requests in flight."""
    return min(range(len(in_flight)), key=in_flight.__getitem__)


def by_turns() -> Policy:
    """Returns a policy that chooses one replica after the other."""
    turn = count()
    return lambda in_flight: next(turn) % len(in_flight)


def at_random(seed: int) -> Policy:
    """Returns a policy that chooses a replica at random."""
    rng = np.random.default_rng(seed)
    return lambda in_flight: int(rng.integers(len(in_flight)))


def simulate(load: Load, policy: Policy, requests: int = REQUESTS, seed: int = SEED) -> Outcome:
    """Simulates a number of requests."""
    rng = np.random.default_rng(seed)
    arrivals = np.cumsum(
        rng.exponential(1 / (load.utilisation * load.rate * load.replicas), requests)
    )
    shape = 1 / load.variation**2
    services = rng.gamma(shape, 1 / (load.rate * shape), requests)
    ends: list[deque[float]] = [deque() for _ in range(load.replicas)]  # of requests in flight
    waits = []
    for now, service in zip(arrivals.tolist(), services.tolist(), strict=True):
        for queue in ends:
            while queue and queue[0] <= now:
                queue.popleft()
        queue = ends[policy([len(queue) for queue in ends])]
        start = queue[-1] if queue else now
        if start - now <= load.max_wait_s:
            waits.append(start - now)
            queue.append(start + service)
    return Outcome(waits, 1 - len(waits) / requests)


def _rows(rate: float, alone_ms: float) -> Iterable[Sequence[str]]:
    heads = [f"{n} replicas" if n > 1 else "1 replica" for n in REPLICAS]
    yield ["utilisation", *heads, *(f"{head}, by turns" for head in heads[1:])]
    for utilisation in UTILISATIONS:
        cells = []
        for replicas in REPLICAS:
            outcome = simulate(Load(replicas, utilisation, rate), least_busy)
            cells.append(_cell(outcome, alone_ms))
        for replicas in REPLICAS[1:]:
            outcome = simulate(Load(replicas, utilisation, rate), by_turns())
            cells.append(_cell(outcome, alone_ms))
        yield [f"{utilisation:.0%}", *cells]


def _cell(outcome: Outcome, alone_ms: float) -> str:
    p95 = alone_ms + 1000 * float(np.percentile(outcome.waits, 95))
    refused = f", {outcome.refused:.1%} get 503" if outcome.refused >= 0.0005 else ""
    return f"{p95:.0f} ms{refused}"


def main() -> None:
    """Prints the table of p95 by utilisation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=104, help="photos per second of a replica")
    parser.add_argument("--alone-ms", type=float, default=17.4, help="response time without load")
    options = parser.parse_args()
    for number, row in enumerate(_rows(options.rate, options.alone_ms)):
        print(f"| {' | '.join(row)} |")
        if number == 0:
            print(f"|{'---|' * len(row)}")


if __name__ == "__main__":
    main()

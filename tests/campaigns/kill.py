"""Killing the process at every step of every operation, and at any time.

python -m tests.campaigns.kill --seed 1 --size 500
"""

import shutil
from collections import Counter
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from tests.campaigns.command import Counts, main
from tests.campaigns.shop import Operation, Shop, State, operation_of
from tests.campaigns.worker import Fault, Outcome, Worker, worker

# To recover is to restore where the catalogue is damaged.
KINDS = ("put", "remove", "compact", "neighbours", "snapshot", "restore", "recover")
_PER_SHOP = 60  # operations, then a new one
_LONGEST_S = 0.02
_STRIDE = 37  # a prime, so that it comes to every call


class Victim:
    """A shop whose every operation may be the last of its process, and what it must hold."""

    def __init__(self, folder: Path, worker: Worker, random: Random) -> None:
        self._folder = folder
        self._worker = worker
        self._random = random
        self._state: State = {}
        self._snapshots: dict[str, State] = {}
        for kind in ("put", "put", "compact", "put", "neighbours", "snapshot", "put"):
            self.do(kind)

    def do(
        self,
        kind: str,
        fault: Fault = Fault.NEVER,
        at: int = 0,
        *,
        kill_after: float | None = None,
    ) -> Outcome:
        """Does an operation with a fault, then requires that it happened wholly or not at all.

        Raises:
            AssertionError: something acknowledged is lost, something else is there, or damaged.
        """
        recovers = kind == "recover"
        operation = operation_of(
            "restore" if recovers else kind, self._random, self._state, self._snapshots
        )
        shop = Shop(self._folder)
        if recovers:
            (shop.data / "catalog.db").write_bytes(b"no catalogue any more" * 1000)
        seed = self._random.randrange(1, 2**31)
        outcome = self._worker.do(
            self._folder, operation, fault, at, seed=seed, kill_after=kill_after
        )
        if recovers and not outcome.done:
            shop.do(operation)  # as one would, who finds it interrupted
        try:
            self._require(shop, operation, outcome)
        except AssertionError as error:
            raise AssertionError(kind, fault, at, outcome) from error
        aside = list(shop.data.glob("damaged-*"))
        assert recovers or not aside
        for folder in aside:
            shutil.rmtree(folder)
        shop.close()
        return outcome

    def _require(self, shop: Shop, operation: Operation, outcome: Outcome) -> None:
        after = operation.on(self._state, self._snapshots)
        found = shop.state()
        assert found == after or (found == self._state and not outcome.done)
        shop.require_whole(found)
        self._state = found
        self._require_snapshots(shop, outcome)

    def _require_snapshots(self, shop: Shop, outcome: Outcome) -> None:
        """Those that were acknowledged are there, and all that are there are whole."""
        names = {entry.name for entry in shop.snapshots.entries()}
        new = names - set(self._snapshots)
        assert set(self._snapshots) <= names
        assert len(new) <= 1
        assert not outcome.snapshot or {outcome.snapshot} == new
        for name in new:
            self._snapshots[name] = self._state
        for name in names:
            assert shop.snapshots.verify(name) == []


class Steps:
    """Faults at the calls of each operation in turn, far from each other at first, all in time."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self._turns = cycle((kind, fault) for fault in faults for kind in KINDS)
        self._calls: dict[str, int] = {}
        self._taken = Counter[tuple[str, Fault]]()

    def take(self, victim: Victim) -> Outcome:
        kind, fault = next(self._turns)
        if kind not in self._calls:
            self._calls[kind] = victim.do(kind).calls
        at = 1 + self._taken[kind, fault] * _STRIDE % self._calls[kind]
        self._taken[kind, fault] += 1
        outcome = victim.do(kind, fault, at)
        self._calls[kind] = max(self._calls[kind], outcome.calls)
        return outcome


def run(seed: int, size: int) -> Counts:
    """Kills `size` processes, half of them at one call after the other, half at any time.

    Raises:
        AssertionError: see `Victim.do`.
    """
    random, counts = Random(seed), Counter[str]()
    steps = Steps((Fault.KILL, Fault.TEAR))
    with worker() as at_work:
        while True:
            with TemporaryDirectory() as folder:
                victim = Victim(Path(folder), at_work, random)
                for number in range(_PER_SHOP):
                    if number % 2:
                        outcome, when = steps.take(victim), "at a call"
                    else:
                        kind, delay = random.choice(KINDS), random.uniform(0, _LONGEST_S)
                        outcome, when = victim.do(kind, kill_after=delay), "at any time"
                    counts[f"killed {when}" if outcome.died else "not killed"] += 1
                    if counts["killed at a call"] + counts["killed at any time"] == size:
                        return counts


if __name__ == "__main__":
    main(run, size=500)

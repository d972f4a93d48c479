"""Power cuts that lose what was not flushed, full disks and failing calls, at every step.

python -m tests.campaigns.torn --seed 1 --size 500
"""

from collections import Counter
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from tests.campaigns.command import Counts, main
from tests.campaigns.kill import Steps, Victim
from tests.campaigns.worker import Fault, worker

_PER_SHOP = 60  # operations, then a new one


def run(seed: int, size: int) -> Counts:
    """Does `size` operations, each with a fault at one of its calls.

    Raises:
        AssertionError: see `Victim.do`.
    """
    random, counts = Random(seed), Counter[str]()
    steps = Steps((Fault.CUT, Fault.CUT_SOME, Fault.FULL, Fault.BROKEN))
    with worker() as at_work:
        for first in range(0, size, _PER_SHOP):
            with TemporaryDirectory() as folder:
                victim = Victim(Path(folder), at_work, random)
                for _ in range(min(_PER_SHOP, size - first)):
                    outcome = steps.take(victim)
                    counts["power cuts"] += outcome.died
                    counts["reported errors"] += bool(outcome.failed)
                    counts["done all the same"] += outcome.done
    return counts


if __name__ == "__main__":
    main(run, size=500)

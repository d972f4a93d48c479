"""Random operations, with restarts in between, against a dictionary.

python -m tests.campaigns.model --seed 1 --size 10000
"""

from collections import Counter
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from tests.campaigns.command import Counts, main
from tests.campaigns.shop import Shop, State, random_operation

_KEPT_SNAPSHOTS = 4
_PER_SHOP = 1000  # then a new one, as copies of a long journal take long
_SHARE_VERIFIED = _SHARE_RESTARTED = 0.01


def run(seed: int, size: int) -> Counts:
    """Does `size` operations; a search follows each, `verify` some.

    Raises:
        AssertionError: a shop differs from the dictionary.
    """
    counts = Counter[str]()
    for number, first in enumerate(range(0, size, _PER_SHOP)):
        with TemporaryDirectory() as folder:
            random = Random(f"{seed} {number}")
            counts += _run_shop(Path(folder), random, min(_PER_SHOP, size - first))
    return counts


def _run_shop(folder: Path, random: Random, size: int) -> Counter[str]:
    counts = Counter[str]()
    shop = Shop(folder)
    state: State = {}
    snapshots: dict[str, State] = {}
    for _ in range(size):
        operation = random_operation(random, state, snapshots)
        name = shop.do(operation)
        state = operation.on(state, snapshots)
        if name:
            snapshots[name] = state
        if len(snapshots) > _KEPT_SNAPSHOTS:
            for old in shop.snapshots.prune(_KEPT_SNAPSHOTS):
                del snapshots[old]
        if random.random() < _SHARE_RESTARTED:
            shop.close()
            counts["restart"] += 1
        if random.random() < _SHARE_VERIFIED:
            shop.require_whole(state)
        shop.require(state, random.sample(sorted(state), min(1, len(state))))
        counts[operation.kind] += 1
    shop.require_whole(state)
    shop.close()
    return counts


if __name__ == "__main__":
    main(run, size=10_000)

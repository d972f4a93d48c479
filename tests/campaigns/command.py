"""What the campaigns share when they are run by hand."""

import argparse
import logging
import sys
import time
from collections.abc import Callable

Counts = dict[str, int]


def main(run: Callable[[int, int], Counts], size: int) -> None:
    """Runs a campaign and prints its result in one line; an AssertionError ends it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--size", type=int, default=size)
    given = parser.parse_args()
    logging.disable()  # what is damaged on purpose is reported without end
    start = time.monotonic()
    counts = run(given.seed, given.size)
    seconds = time.monotonic() - start
    name = sys.modules["__main__"].__spec__.name.rsplit(".", 1)[-1]  # type: ignore[union-attr]
    told = ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))
    print(f"{name}: seed {given.seed}, size {given.size}: {told}; {seconds:.0f} s")

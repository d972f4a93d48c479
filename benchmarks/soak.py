"""Checks that latency, memory and error rate of the service stay constant over time.

    python -m benchmarks.soak [--minutes 30] [--fraction 0.7] [--json FILE]

Sends new photos, repeated photos, product ids and bad photos at a constant rate, while the
command line adds or removes a product every ten seconds, and in between rebuilds the index and
creates a snapshot. The rate is a fraction of the capacity measured just before under the same
conditions.
"""

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count, cycle
from pathlib import Path
from statistics import median

from benchmarks.load import catalogue
from benchmarks.load.generator import Reply, closed_loop, open_loop, percentile
from benchmarks.load.requests import HEALTH_PER_S, Mix
from benchmarks.load.server import ROOT, SERVICE, Server, free_port, running, settings
from benchmarks.load.table import Table

CLIENTS = 8
CHANGE_EVERY_S = 10.0
LOW_PRIORITY = ("nice", "-n", "19")  # as docs/operations.md recommends
LOOK_EVERY_S = 1.0
SETTLED = 5 / 30  # of the time; memory may grow until then
PART_S = 300.0
BAD_PHOTO = (400, 413, 415)
# By the part of the time after which they run.
ONCE = {
    1 / 3: ("rebuild",),
    2 / 3: ("snapshot", "create"),
    0.9: ("snapshot", "prune", "--keep", "1"),
}


@dataclass(frozen=True)
class Memory:
    """Memory of the workers at a time: resident, and the anonymous part of it."""

    at: float
    resident_mib: float
    own_mib: float


class Surroundings:
    """Changes the catalogue and samples memory during the load of about `seconds`."""

    def __init__(
        self, server: Server, environ: Mapping[str, str], photo: Path, seconds: float
    ) -> None:
        self._server, self._environ, self._photo = server, environ, photo
        self._seconds = seconds
        self._over = threading.Event()
        self.memory: list[Memory] = []
        self.changes = self.failed = 0

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Changes products and samples memory while the block runs."""
        threads = [threading.Thread(target=run) for run in (self._change, self._look)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in threads:
                thread.join()

    def _change(self) -> None:
        due = time.monotonic()
        for arguments in self._commands():
            if self._over.wait(max(0.0, due - time.monotonic())):
                return
            command = [*LOW_PRIORITY, sys.executable, "-m", "indexer", *arguments]
            done = subprocess.run(command, cwd=ROOT, env=self._environ, capture_output=True)
            self.failed += done.returncode != 0
            self.changes += 1
            due += CHANGE_EVERY_S

    def _commands(self) -> Iterator[Sequence[str]]:
        """Yields the arguments of each command, endlessly."""
        changes = cycle([("add", str(self._photo)), ("remove", self._photo.stem)])
        once = {round(part * self._seconds / CHANGE_EVERY_S): ONCE[part] for part in ONCE}
        for number in count():
            yield once.get(number) or next(changes)

    def _look(self) -> None:
        while not self._over.wait(LOOK_EVERY_S):
            self.memory.append(Memory(time.monotonic(), *self._server.memory_mib()))


def soak(server: Server, around: Surroundings, mix: Mix, arguments: argparse.Namespace) -> Table:
    """Runs the load, and returns the table."""
    table, seconds = Table(), 60 * arguments.minutes
    table.heading(f"{arguments.minutes:g} minutes, {arguments.products:,} products")
    before = server.workers(), server.complaints()
    with around.going_on():
        shoppers = mix.of_shoppers()
        capacity = closed_loop(
            server.address, shoppers, clients=CLIENTS, seconds=arguments.capacity_seconds
        )
        answered = [reply for reply in capacity.replies if _as_expected(reply)]
        rate = arguments.fraction * len(answered) / capacity.seconds
        table.add("capacity while the catalogue changes", len(answered) / capacity.seconds, "/s")
        start = time.monotonic()
        streams = [(rate, shoppers), (HEALTH_PER_S, mix.health)]
        run = open_loop(server.address, streams, seconds=seconds)
    table.add("sent", rate, "/s")
    wrong = sum(not _as_expected(reply) for reply in run.replies)
    table.add("errors", wrong + run.missed, most=0)
    table.add("  of that refused", sum(reply.status == 503 for reply in run.replies))
    table.add("workers lost", len(set(before[0]) - set(server.workers())), most=0)
    table.add("errors in the log", server.complaints() - before[1], most=0)
    table.add("changes by the command line", around.changes)
    table.add("  of that failed", around.failed, most=0)
    _tell_memory(table, [look for look in around.memory if look.at >= start], start, seconds)
    _tell_latencies(table, run.replies, start, seconds)
    table.add("sent later than due, p99", run.late_ms, "ms")
    table.add("generator, of one core", 100 * run.cpu_s / run.seconds, "%")
    return table


def _as_expected(reply: Reply) -> bool:
    return reply.status in BAD_PHOTO if reply.kind == "bad" else reply.status == 200


def _tell_memory(table: Table, looks: list[Memory], start: float, seconds: float) -> None:
    """Adds medians over a tenth of the time each: single samples jump while photos are decoded."""
    resident, own = [], []
    for part in (SETTLED, 0.5, 0.9):
        begin = start + part * seconds
        then = [look for look in looks if begin <= look.at <= begin + seconds / 10]
        resident.append(median(look.resident_mib for look in then))
        own.append(median(look.own_mib for look in then))
        minute = part * seconds / 60
        table.add(f"memory of the workers from minute {minute:.1f}", resident[-1], "MiB")
        table.add("  of that anonymous", own[-1], "MiB")
    table.add("  drift", 100 * (resident[-1] / resident[0] - 1), "%", most=2)
    table.add("  drift of anonymous memory", 100 * (own[-1] / own[0] - 1), "%", most=2)


def _tell_latencies(table: Table, replies: list[Reply], start: float, seconds: float) -> None:
    parts = max(1, round(seconds / PART_S))
    for part in range(parts):
        begin, end = (start + seconds * edge / parts for edge in (part, part + 1))
        then = [reply for reply in replies if begin <= reply.due < end]
        for kind in sorted({reply.kind for reply in then}):
            these = [reply for reply in then if reply.kind == kind]
            name = f"minutes {(begin - start) / 60:.0f} to {(end - start) / 60:.0f}, {kind}"
            for percent in (50, 95, 99):
                table.add(f"{name}: p{percent}", percentile(these, percent), "ms")


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--fraction", type=float, default=0.7, help="of the capacity")
    parser.add_argument("--capacity-seconds", type=float, default=40, help="to measure it")
    parser.add_argument("--products", type=int, default=100_000)
    parser.add_argument(
        "--data", type=Path, default=Path(tempfile.gettempdir()) / "image-search-load"
    )
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    mix, port = Mix(arguments.data, arguments.products), free_port()
    folder = arguments.data / f"soak-{arguments.products}"
    environ = settings(storage_data_dir=folder.resolve(), service_port=port)
    catalogue.fill(arguments.products, environ, arguments.data)
    photo = arguments.data.resolve() / "comes-and-goes.jpg"
    photo.write_bytes(mix.photos[0])
    with running(SERVICE, environ, port, "/readyz", arguments.data / "soak.log") as server:
        around = Surroundings(server, environ, photo, 60 * arguments.minutes)
        table = soak(server, around, mix, arguments)
    if arguments.json:
        table.write(arguments.json, minutes=arguments.minutes, products=arguments.products)


if __name__ == "__main__":
    main()

"""Measures the HTTP service under load, compared with the bare model and the proof of concept.

    python -m benchmarks.service_load [--only photo similar] [--seconds 10] [--json FILE]

Runs the service under gunicorn on a generated catalogue (kept in --data), once with the default
settings and once at side 224 like the proof of concept. The load generator runs on the same
cores; its share is shown, and included in the results. Settings in the environment apply, so that
other engines and numbers of threads can be measured.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import mean, median

from benchmarks.load import catalogue
from benchmarks.load.generator import Request, Run, closed_loop, open_loop, percentile
from benchmarks.load.requests import HEALTH_PER_S, Mix
from benchmarks.load.server import ROOT, SERVICE, Server, free_port, running, settings
from benchmarks.load.table import Table
from indexer.config import load_settings
from indexer.embedding import available_cores, available_memory
from service.engine.sizing import worker_count

ROWS = ("ready", "photo", "unique", "repeated", "similar", "peer", "overload")
CLIENTS = (1, 8, 64)
LIKE_FOR_LIKE = 8  # clients for comparing services
DEFAULT, AS_THE_PEER = "default settings", "side 224"
SIDES: dict[str, dict[str, object]] = {
    DEFAULT: {},
    AS_THE_PEER: {"embedding_weights": "untrained", "embedding_input_size": 224},
}
OVERLOAD = 10  # times the capacity
PHOTO_MS = {"tensorflow": 20.0}  # target by engine; 15 for others


class Benchmark:
    """One run. The methods named in `ROWS` measure a running service."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.data: Path = arguments.data
        self.products: int = arguments.products
        self.seconds: float = arguments.seconds
        self.overload_seconds: float = arguments.overload_seconds
        self.only: list[str] = arguments.only
        self.table = Table()
        self.mix = Mix(self.data, self.products)
        self.side = DEFAULT
        self.compared: dict[str, Run] = {}

    def run(self) -> None:
        """Measures the selected rows."""
        compares = {"peer", "overload"} & set(self.only)
        for side in SIDES if compares else [DEFAULT]:
            self.side = side
            rows = self.only if side == DEFAULT else [row for row in ROWS if row in compares]
            with self.service() as server:
                for row in rows:
                    getattr(self, row)(server)
        if "peer" in self.only:
            self.beside_the_peer()

    def environ(self) -> dict[str, str]:
        """Returns the environment of the service."""
        return settings(**SIDES[self.side])

    @contextmanager
    def service(self) -> Iterator[Server]:
        """Runs the service."""
        folder = self.data / f"{self.side.replace(' ', '-')}-{self.products}"
        port = free_port()
        environ = settings(**SIDES[self.side], storage_data_dir=folder.resolve(), service_port=port)
        catalogue.fill(self.products, environ, self.data)
        self.table.heading(f"{self.side}, {self.products:,} products")
        log = self.data / "service.log"
        with running(SERVICE, environ, port, "/readyz", log) as server:
            yield server

    def closed(self, server: Server, requests: Iterator[Request], clients: int) -> Run:
        """Runs a closed loop of requests."""
        return closed_loop(
            server.address,
            requests,
            clients=clients,
            seconds=self.seconds,
            keep_bodies=clients == 1,
        )

    def ready(self, server: Server) -> None:
        """Measures the time from start to ready."""
        self.table.add("start to ready", server.ready_s, "s", most=10)

    def photo(self, server: Server) -> None:
        """Measures searches by new photos with one client, by stage."""
        run = self.closed(server, self.mix.unique, 1)
        answered = [reply for reply in run.replies if reply.status == 200]
        engine = load_settings(environ=self.environ()).embedding.engine
        self.add_common("new photos, 1 client", run, most_ms=PHOTO_MS.get(engine, 15))
        stages = [json.loads(reply.body)["took_ms"] for reply in answered]
        for stage in stages[0] if stages else ():
            self.table.add(f"  of that {stage}", median(took[stage] for took in stages), "ms")
        beyond = median(
            reply.ms - took["decode"] - took["embed"]
            for reply, took in zip(answered, stages, strict=True)
        )
        self.table.add("  beyond decode and embed", beyond, "ms", most=8)

    def unique(self, server: Server) -> None:
        """Measures searches by new photos, compared with the bare model."""
        bare = self.bare_rate()
        self.table.add("the bare model, one photo at a time", bare, "/s")
        alone = 0.0
        for clients in CLIENTS:
            run = self.closed(server, self.mix.unique, clients)
            name = _named("new photos", clients)
            self.add_common(name, run)
            self.table.add(f"{name}: rate relative to the bare model", run.rate() / bare)
            answered = [reply for reply in run.replies if reply.status == 200]
            alone = alone or mean(reply.ms for reply in answered)
            if clients == LIKE_FOR_LIKE:
                bound = 3 * alone * clients / len(server.workers())
                self.table.add(
                    f"{name}: p95 to 3 x mean alone x clients / workers",
                    percentile(answered, 95) / bound,
                    most=1,
                )

    def bare_rate(self) -> float:
        """Measures the bare model in a separate process while the service is idle."""
        command = [sys.executable, "-m", "benchmarks.load.bare", str(self.seconds)]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environ(), stdout=subprocess.PIPE, check=True
        )
        return float(done.stdout.split()[-1])

    def repeated(self, server: Server) -> None:
        """Measures searches by the same photo."""
        for clients in CLIENTS:
            run = self.closed(server, self.mix.repeated, clients)
            most = 10 if clients == 1 else None
            self.add_common(_named("one photo again and again", clients), run, most_ms=most)

    def similar(self, server: Server) -> None:
        """Measures searches by product id."""
        for clients in CLIENTS:
            run = self.closed(server, self.mix.similar, clients)
            name = _named("product ids", clients)
            self.add_common(name, run, most_ms=5 if clients == 1 else None)
            if clients == LIKE_FOR_LIKE:
                each = run.rate() / len(server.workers())
                self.table.add(f"{name}: rate of a worker", each, "/s", least=300)

    def add_common(self, name: str, run: Run, *, most_ms: float | None = None) -> None:
        """Adds the rows common to all loads; `most_ms` is the target of the median."""
        self.table.add(f"{name}: rate", run.rate(), "/s")
        answered = [reply for reply in run.replies if reply.status == 200]
        for percent, most in ((50, most_ms), (95, None), (99, None)):
            self.table.add(f"{name}: p{percent}", percentile(answered, percent), "ms", most=most)
        refused = sum(reply.status == 503 for reply in run.replies)
        if refused:
            self.table.add(f"{name}: refused", refused)
        wrong = sum(reply.status not in (200, 503) for reply in run.replies)
        self.table.add(f"{name}: errors", wrong, most=0)
        self.table.add(f"{name}: generator, of one core", 100 * run.cpu_s / run.seconds, "%")

    def peer(self, server: Server) -> None:
        """Measures the load that is repeated on the peer."""
        run = self.compared[self.side] = self.closed(server, self.mix.unique, LIKE_FOR_LIKE)
        self.add_common(_named("new photos", LIKE_FOR_LIKE), run)

    def beside_the_peer(self) -> None:
        """Measures the same load on the peer, with as many workers and a thread per client."""
        workers = worker_count(load_settings(), available_cores(), available_memory())
        port = free_port()
        arguments = (
            *("--bind", f"127.0.0.1:{port}", "--worker-class", "gthread", "--timeout", "120"),
            *("--workers", str(workers), "--threads", str(LIKE_FOR_LIKE)),
            "benchmarks.peer_service:create_app()",
        )
        vectors = catalogue.vectors(self.data, self.products).resolve()
        environ = settings() | {"PEER_VECTORS": str(vectors)}
        self.table.heading("the peer")
        with running(arguments, environ, port, "/healthz", self.data / "peer.log") as server:
            # Longer, because the peer handles only a few requests per second.
            seconds = 3 * self.seconds
            peer = closed_loop(
                server.address, self.mix.unique, clients=LIKE_FOR_LIKE, seconds=seconds
            )
        self.add_common(_named("new photos", LIKE_FOR_LIKE), peer)
        for side, run in self.compared.items():
            rates = run.rate() / peer.rate() if peer.rate() else float("nan")
            self.table.add(f"{side}: rate relative to the peer", rates, least=2.5)
            slowest = percentile(run.replies, 95) / percentile(peer.replies, 95)
            self.table.add(f"{side}: p95 relative to the peer", slowest, most=0.4)

    def overload(self, server: Server) -> None:
        """Measures an overload."""
        before = server.workers(), server.complaints()
        capacity = self.closed(server, self.mix.unique, LIKE_FOR_LIKE).rate()
        streams = [(OVERLOAD * capacity, self.mix.unique), (HEALTH_PER_S, self.mix.health)]
        run = open_loop(server.address, streams, seconds=self.overload_seconds)
        searches = run.only("unique")
        accepted = [reply for reply in searches if reply.status == 200]
        refused = [reply for reply in searches if reply.status == 503]
        add, name = self.table.add, f"{OVERLOAD} x {capacity:.0f} /s"
        add(f"{name}: sent", len(searches) / run.seconds, "/s")
        add(f"{name}: never sent, all connections busy", run.missed)
        add(f"{name}: answered meanwhile", run.rate(), "/s")
        add(f"{name}: answered, p99", percentile(accepted, 99), "ms", most=2000)
        add(f"{name}: refused meanwhile", run.rate(503), "/s")
        for percent, most in ((50, None), (99, 100), (100, None)):
            what = f"{name}: time to refusal, p{percent}"
            add(what, percentile(refused, percent), "ms", most=most)
        without_hint = sum(not reply.retry_after for reply in refused)
        add(f"{name}: refused without Retry-After", without_hint, most=0)
        wrong = len(searches) - len(accepted) - len(refused)
        add(f"{name}: other responses, or none", wrong, most=0)
        health = run.only("health")
        add(f"{name}: /healthz, slowest", percentile(health, 100), "ms", most=100)
        add(f"{name}: /healthz not 200", sum(r.status != 200 for r in health), most=0)
        add(f"{name}: workers lost", len(set(before[0]) - set(server.workers())), most=0)
        add(f"{name}: errors in the log", server.complaints() - before[1], most=0)
        add(f"{name}: sent later than due, p99", run.late_ms, "ms")
        add(f"{name}: generator, of one core", 100 * run.cpu_s / run.seconds, "%")


def _named(what: str, clients: int) -> str:
    return f"{what}, {clients} client{'s' if clients > 1 else ''}"


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", nargs="+", choices=ROWS, default=list(ROWS), metavar="ROW")
    parser.add_argument("--seconds", type=float, default=10, help="of each load")
    parser.add_argument("--overload-seconds", type=float, default=60)
    parser.add_argument("--products", type=int, default=100_000)
    parser.add_argument(
        "--data", type=Path, default=Path(tempfile.gettempdir()) / "image-search-load"
    )
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    benchmark = Benchmark(arguments)
    benchmark.run()
    if arguments.json:
        conditions = {"products": arguments.products, "seconds": arguments.seconds}
        benchmark.table.write(arguments.json, **conditions)


if __name__ == "__main__":
    main()

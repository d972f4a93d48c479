"""Clients that never close, never finish a request or read byte by byte: others feel nothing.

gunicorn with one worker; everything is real but the model. While each kind of bad client is at
work, one client asks `/healthz` on a new connection every 50 ms, and another searches by photo and
by product in turn.
"""

import resource
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image

from tests.campaigns import bad_clients
from tests.campaigns.bad_clients import Attack, Kind, attacking
from tests.campaigns.command import Counts, main
from tests.conftest import Store, png
from tests.processes import FAKE, Service, ask, gunicorn, multipart

# Of the median, on a machine that is busy with other tests; on a free one it is under 10.
_MAX_MS = 1000
_FULL = 1000
_FULL_S = 20
_HEAD = b"GET /v1/products/0/similar HTTP/1.1\r\nHost: a\r\nX-Unfin"
_BODY = b"POST /v1/search HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
_BODY += b"Content-Length: 100000\r\n\r\n{"
_CHUNKED = b" HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
_CHUNKED += b"Transfer-Encoding: chunked\r\n\r\n"
_PATIENCE_S = 10  # of the clients that are measured


@dataclass
class Felt:
    """What well-behaved clients felt, in milliseconds; a failure counts as all their patience."""

    healthz: list[float] = field(default_factory=list)
    searches: list[float] = field(default_factory=list)
    failed: int = 0
    opened: int = 0

    @property
    def median(self) -> float:
        return sorted(self.healthz)[len(self.healthz) // 2]

    def told(self) -> str:
        """One line of figures."""
        ordered = sorted(self.healthz)
        late = ordered[int(0.95 * len(ordered))]
        return (
            f"/healthz median {self.median:.1f} ms, p95 {late:.1f}, max {ordered[-1]:.1f}"
            f" of {len(ordered)}; searches {len(self.searches) - self.failed} of"
            f" {len(self.searches)} answered, max {max(self.searches):.0f} ms;"
            f" {self.opened} bad connections"
        )


def kinds(size: int) -> Mapping[str, Kind]:
    """The bad clients, by name."""
    bodies = max(60, size // 10)  # more than there are threads
    return {
        "nobody": lambda _: None,
        "never closing, one every 2 s": bad_clients.never_closing(2),
        "never closing, 3 a second": bad_clients.never_closing(1 / 3),
        "closing 150 ms late, 8 a second": bad_clients.closing_late(1 / 8, 0.15),
        f"{size} unfinished heads": bad_clients.unfinished(size, _HEAD),
        f"{bodies} unfinished bodies": bad_clients.unfinished(bodies, _BODY),
        f"{bodies} byte by byte": bad_clients.reading_byte_by_byte(bodies),
        "4 with chunks of one byte": bad_clients.in_tiny_chunks(
            4, b"GET /healthz" + _CHUNKED, b"POST /v1/search" + _CHUNKED
        ),
    }


def run(seed: int, size: int) -> Counts:
    """Sets each kind of bad client on a service.

    Raises:
        AssertionError: `/healthz` was slow, or a search was not answered.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    seconds = max(3.0, min(1.0, size / _FULL) * _FULL_S)
    counts, failures = {"kinds": 0, "searches": 0}, []
    with _service(seed) as service:
        photo = ask(service.url, "/v1/products/0").json["images"][0]["image_url"]
        for name, kind in kinds(size).items():
            attack = Attack(service.url, photo, threading.Event())
            felt = _felt(attack, kind, Random(seed), seconds)
            print(f"{name}: {felt.told()}", flush=True)
            counts["kinds"] += 1
            counts["searches"] += len(felt.searches)
            if felt.failed or felt.median > _MAX_MS:
                failures.append(f"{name}: {felt.told()}")
    assert not failures, failures
    return counts


@contextmanager
def _service(seed: int) -> Iterator[Service]:
    with TemporaryDirectory() as name:
        store = Store(Path(name) / "store")
        rows = [store.row("0", "red"), store.row("1", "navy")]
        # A photo of 12 MB, more than the buffers of a connection take.
        noise = Image.frombytes("RGB", (2000, 2000), Random(seed).randbytes(12_000_000))
        noise.save(store.photos / "0-0.png", compress_level=0)
        store.add(*rows)
        store.catalog.close()
        with gunicorn(store.catalog.folder.parent, Path(name) / "log", FAKE) as service:
            yield service
            service.process.kill()  # it would wait for the bad clients


def _felt(attack: Attack, kind: Kind, random: Random, seconds: float) -> Felt:
    felt, url = Felt(), attack.url
    end = time.monotonic() + seconds

    def healthy() -> None:
        while time.monotonic() < end:
            felt.healthz.append(_timed(url, "/healthz")[0])
            time.sleep(0.05)

    def searching() -> None:
        while time.monotonic() < end:
            colour = tuple(random.randrange(256) for _ in range(3))
            body, content_type = multipart(png(colour))
            headers = {"Content-Type": content_type}
            for ms, status in (
                _timed(url, "/v1/search", method="POST", body=body, headers=headers),
                _timed(url, "/v1/products/0/similar"),
            ):
                felt.searches.append(ms)
                felt.failed += status != 200
            time.sleep(0.05)

    with attacking(kind, attack), ThreadPoolExecutor(2) as clients:
        for done in [clients.submit(healthy), clients.submit(searching)]:
            done.result()
    felt.opened = attack.opened
    return felt


def _timed(url: str, target: str, **request: Any) -> tuple[float, int]:
    """Milliseconds and status; 0 is a failure."""
    start = time.monotonic()
    try:
        status = ask(url, target, timeout=_PATIENCE_S, **request).status
    except (OSError, HTTPException):
        return 1000 * _PATIENCE_S, 0
    return 1000 * (time.monotonic() - start), status


if __name__ == "__main__":
    main(run, size=_FULL)

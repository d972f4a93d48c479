"""Runs a server under gunicorn and observes it from outside."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

ROOT = Path(__file__).parents[2]
SERVICE = ("--config", "service/gunicorn.conf.py", "service.wsgi:app")
_PATIENCE_S = 300


@dataclass(frozen=True)
class Server:
    """A running server. `ready_s` is the time from its start until it is ready."""

    address: tuple[str, int]
    process: subprocess.Popen[bytes]
    log: Path
    ready_s: float

    def workers(self) -> list[int]:
        """Returns the process ids of the workers."""
        master = self.process.pid
        children = Path(f"/proc/{master}/task/{master}/children").read_text()
        return sorted(map(int, children.split()))

    def memory_mib(self) -> tuple[float, float]:
        """Returns the resident memory of all workers, and the anonymous part of it."""
        found = [0.0, 0.0]
        for pid in self.workers():
            with suppress(OSError, IndexError):  # the process is exiting
                status = Path(f"/proc/{pid}/status").read_text()
                for part, key in enumerate(("VmRSS:", "RssAnon:")):
                    found[part] += int(status.split(key)[1].split()[0]) / 1024
        return found[0], found[1]

    def complaints(self) -> int:
        """Returns the number of log lines about lost workers or unexpected errors."""
        words = ("Traceback", "[CRITICAL]", "[ERROR]", "WORKER TIMEOUT", "was sent SIG")
        lines = self.log.read_text(errors="replace").splitlines()
        return sum(any(word in line for word in words) for line in lines)


def free_port() -> int:
    """Returns a free TCP port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def settings(**overrides: object) -> dict[str, str]:
    """Returns the environment with settings, `section_key=value`, overridden."""
    ours = {f"IMAGE_SEARCH_{key.upper()}": str(value) for key, value in overrides.items()}
    return {**os.environ, **ours}


@contextmanager
def running(
    arguments: tuple[str, ...], environ: Mapping[str, str], port: int, ready: str, log: Path
) -> Iterator[Server]:
    """Runs gunicorn with these arguments; yields when the path `ready` returns 200."""
    start, address = time.monotonic(), ("127.0.0.1", port)
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", *arguments],
            cwd=ROOT,
            env=dict(environ),
            stdout=out,
            stderr=out,
        )
    try:
        while not _answers(address, ready):
            if process.poll() is not None or time.monotonic() > start + _PATIENCE_S:
                sys.exit(f"{arguments[-1]} did not become ready:\n{log.read_text()[-3000:]}")
            time.sleep(0.02)
        yield Server(address, process, log, time.monotonic() - start)
    finally:
        process.terminate()
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(address: tuple[str, int], path: str) -> bool:
    connection = HTTPConnection(*address, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()

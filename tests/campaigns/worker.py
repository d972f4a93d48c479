"""A process that does operations on a shop and may die of it, of faults that are injected.

`Worker` starts `python -m tests.campaigns.worker` with faults.c preloaded. That process imports
everything once and forks a child for each order, so that a thousand deaths take a minute.
"""

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from enum import IntEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from indexer.errors import ImageSearchError
from tests.campaigns.shop import Operation, Shop
from tests.processes import ROOT

_SOURCE = Path(__file__).with_name("faults.c")


class Fault(IntEnum):
    """What happens at a call that changes a file; in the order of the enum in faults.c."""

    NEVER = 0
    KILL = 1  # the process is killed before the call
    TEAR = 2  # it is killed with half of the write done
    CUT = 3  # power is cut: of each file, what was written since its last fsync is lost
    CUT_SOME = 4  # as before, but some of what was written is lost, some is not
    FULL = 5  # the disk is full from then on
    BROKEN = 6  # the call fails


@dataclass(frozen=True)
class Outcome:
    """What became of an operation.

    Attributes:
        done: it was acknowledged.
        snapshot: the name of the snapshot that was taken.
        failed: the error that was reported.
        calls: that changed files, unless the process died.
        died: it was killed.
    """

    done: bool = False
    snapshot: str = ""
    failed: str = ""
    calls: int = 0
    died: bool = False


class Worker:
    """Does one operation per child."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def do(
        self,
        folder: Path,
        operation: Operation,
        fault: Fault = Fault.NEVER,
        at: int = 0,
        *,
        seed: int = 0,
        kill_after: float | None = None,
    ) -> Outcome:
        """
        Args:
            at: the number of the call that the fault happens at, from 1.
            kill_after: seconds after which the child is killed, whatever it is doing.

        Raises:
            AssertionError: the child ended in another way than by its fault.
        """
        order: dict[str, Any] = {"folder": str(folder), "operation": asdict(operation)}
        order |= {"fault": int(fault), "at": at, "seed": seed}
        assert self._process.stdin
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        pid = self._read()["pid"]
        if kill_after is not None:
            time.sleep(kill_after)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        told: dict[str, Any] = {}
        while "status" not in told:
            told |= self._read()
        status = told.pop("status")
        assert status in (0, -signal.SIGKILL), told
        return Outcome(**told, died=status != 0)

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, "the worker itself has died"
        told: dict[str, Any] = json.loads(line)
        return told


def can_inject() -> bool:
    """Whether there is a compiler, and a system to preload a library on."""
    return sys.platform == "linux" and shutil.which("cc") is not None


@contextmanager
def worker() -> Iterator[Worker]:
    """A worker with faults.c compiled into it."""
    with TemporaryDirectory() as built:
        library = Path(built) / "faults.so"
        command = ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(_SOURCE), "-ldl"]
        subprocess.run(command, check=True)
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.campaigns.worker"],
            cwd=ROOT,
            env=os.environ | {"LD_PRELOAD": str(library), "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with process:
            yield Worker(process)
            assert process.stdin
            process.stdin.close()


def _serve() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _tell(pid=os.getpid())
            _obey(**order)
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        _tell(status=os.waitstatus_to_exitcode(status))


def _obey(folder: str, operation: dict[str, Any], fault: int, at: int, seed: int) -> None:
    faults = ctypes.CDLL(None)
    faults.faults_arm(folder.encode(), fault, at, seed)
    products = {
        name: (tuple(photos), price) for name, (photos, price) in operation.pop("products").items()
    }
    try:
        done = Shop(Path(folder)).do(Operation(products=products, **operation))
        _tell(snapshot=done, done=True)
    except ImageSearchError as error:
        _tell(failed=str(error))
    _tell(calls=faults.faults_seen())


def _tell(**what: object) -> None:
    # In one call, and not through a buffer that dies with the process.
    os.write(1, (json.dumps(what) + "\n").encode())


if __name__ == "__main__":
    _serve()

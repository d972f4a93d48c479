"""Milvus to test with: milvus-lite in a file, and a real server if one is installed.

`make milvus-server` installs the server of the PyPI package `milvus` in `.venv-milvus`, beside the
virtual environment of the tests, because it needs other versions of its libraries.
"""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from indexer.config import MilvusSettings
from indexer.store.milvus.store import MilvusStore

SERVER = Path(__file__).parent.parent / ".venv-milvus" / "bin" / "milvus-server"
_PARTS = ("proxy", "rootCoord", "queryCoord", "queryNode", "indexNode", "dataCoord", "dataNode")
_number = count()


def new_milvus_store(uri: str, folder: Path) -> MilvusStore:
    """A collection that no other test uses."""
    settings = MilvusSettings(uri=uri, prefix=f"test{next(_number)}", timeout_s=20)
    return MilvusStore(settings, "default", folder, create=True)


@contextmanager
def milvus_server(folder: Path, port: int | None = None) -> Iterator[tuple[str, int]]:
    """Starts a server with its data in a folder; gives its address and its process group.

    The port is free and stays the same if it is given.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if port is None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
    command = [str(SERVER), "--data", str(folder), "--proxy-port", str(port)]
    for part in _PARTS:
        command += ["--extra-config", f"{part}.ip=127.0.0.1"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout is not None
        if not any(b"Welcome" in line for line in process.stdout):
            raise RuntimeError(f"the Milvus server did not start; see {folder}/logs")
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdout:
            process.stdout.close()

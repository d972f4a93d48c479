"""Real processes for the tests, and a client that asks them as others do.

`python -m tests.processes COMMAND...` is the command line with a fake model, so that it
starts fast. With STALL_AFTER and STALL_MARKER in the environment it stops in the middle of
embedding: once so many photos are embedded, it makes the marker file and waits to be killed.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

from flask import Flask

from indexer.arrays import Vectors
from indexer.config import EmbeddingSettings, load_settings
from indexer.embedding import Embedder
from indexer.embedding.base import PixelBatch
from indexer.store.embedded.catalog import Catalog
from service import create_app
from service.engine.collections import SearchService
from tests.fakes import FakeEmbedder

ROOT = Path(__file__).parent.parent
UNTRAINED = {
    "IMAGE_SEARCH_EMBEDDING_WEIGHTS": "untrained",
    "IMAGE_SEARCH_EMBEDDING_INPUT_SIZE": "32",
}
# One worker starts sooner than several.
QUICK = {
    "IMAGE_SEARCH_SERVICE_PORT": "0",
    "IMAGE_SEARCH_SERVICE_DRAIN_S": "0.1",
    "IMAGE_SEARCH_SERVICE_WORKERS": "1",
}
FAKE = "tests.processes:fake_app()"  # the service with a model that needs no TensorFlow
_LISTENING = re.compile(r"Search page: (http://\S+)/")


@dataclass(frozen=True)
class Reply:
    """An answer of an HTTP server."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    base: str,
    target: str,
    *,
    method: str = "GET",
    body: bytes | Iterable[bytes] | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = 30,
) -> Reply:
    """Sends a request whose target goes out as it is. A body in pieces is sent chunked."""
    connection = HTTPConnection(urlsplit(base).netloc, timeout=timeout)
    try:
        chunked = body is not None and not isinstance(body, bytes)
        connection.request(method, target, body, dict(headers or {}), encode_chunked=chunked)
        response = connection.getresponse()
        return Reply(response.status, dict(response.getheaders()), response.read())
    finally:
        connection.close()


def address_of(base: str) -> tuple[str, int]:
    """Host and port of a server."""
    parts = urlsplit(base)
    assert parts.hostname
    assert parts.port
    return parts.hostname, parts.port


def multipart(*photos: bytes, **fields: object) -> tuple[bytes, str]:
    """A form with files named `image`: its body and its content type.

    A list is as many fields of one name.
    """
    boundary = "-----a-boundary-that-no-photo-has"
    parts = [
        (f'name="{name}"', str(value).encode())
        for name, values in fields.items()
        for value in (values if isinstance(values, list) else [values])
    ]
    parts += [('name="image"; filename="photo"', photo) for photo in photos]
    body = b"".join(
        f"--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + data + b"\r\n"
        for head, data in parts
    )
    return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def upload(base: str, photo: bytes, **fields: object) -> Reply:
    """Searches by an uploaded photo."""
    body, content_type = multipart(photo, **fields)
    headers = {"Content-Type": content_type}
    return ask(base, "/v1/search", method="POST", body=body, headers=headers)


def wait_for(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    """Returns once the condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not happen within {seconds} s")
        time.sleep(0.01)


@dataclass(frozen=True)
class Service:
    """gunicorn, as it is run in earnest."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path


@contextmanager
def gunicorn(
    data_dir: Path,
    log: Path,
    app: str = "service.wsgi:app",
    settings: Mapping[str, str] | None = None,
    *,
    wait: bool = True,
) -> Iterator[Service]:
    """The service over `data_dir`, stopped at the end.

    It is ready, with a catalogue that is made if there is none; or neither, if `wait` is off.
    """
    if wait and not (data_dir / "default" / "catalog.db").exists():
        Catalog(data_dir / "default", create=True).close()
    settings = {**UNTRAINED, **QUICK, **(settings or {})}
    command = ["gunicorn", "--config", "service/gunicorn.conf.py", app]
    with log.open("wb") as stderr:
        process = start("-m", *command, data_dir=data_dir, settings=settings, stderr=stderr)
    try:
        wait_for(lambda: _LISTENING.search(log.read_text()) or process.poll(), "listening", 180)
        listening = _LISTENING.search(log.read_text())
        assert listening, log.read_text()
        service = Service(listening[1], process, log)
        if wait:
            wait_for(lambda: ask(service.url, "/readyz").status == 200, "readiness", 180)
        yield service
    finally:
        process.terminate()
        process.wait(timeout=120)


def fake_app() -> Flask:
    """The service with a model that needs no TensorFlow, loaded in LOAD_S seconds at most."""
    settings = load_settings()
    longest_s = float(os.environ.get("LOAD_S", 0))

    def load(_: EmbeddingSettings) -> Embedder:
        # Processes that start together do not finish together.
        time.sleep(longest_s / (1 + os.getpid() % 2))
        return FakeEmbedder()

    search = SearchService(settings, load)
    search.start()
    return create_app(settings, search=search)


def start(
    *arguments: str, data_dir: Path, settings: Mapping[str, str] | None = None, **options: Any
) -> subprocess.Popen[bytes]:
    """Starts Python in the repository's root, with the settings and no others."""
    inherited = {key: value for key, value in os.environ.items() if "IMAGE_SEARCH" not in key}
    own = {"IMAGE_SEARCH_STORAGE_DATA_DIR": str(data_dir), **(settings or {})}
    return subprocess.Popen([sys.executable, *arguments], cwd=ROOT, env=inherited | own, **options)


@dataclass(frozen=True)
class Finished:
    """What a command left behind."""

    code: int
    out: str
    err: str


def cli(
    *arguments: str,
    data_dir: Path,
    module: str = "indexer",
    settings: Mapping[str, str] | None = None,
) -> Finished:
    """Runs a command to its end, by default with the real model, untrained."""
    process = start(
        "-m",
        module,
        *arguments,
        data_dir=data_dir,
        settings={**UNTRAINED, **(settings or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = process.communicate(timeout=120)
    return Finished(process.returncode, out.decode(), err.decode())


class StallingEmbedder(FakeEmbedder):
    """Stops, as told by the environment, in the middle of its work."""

    def embed_batch(self, images: PixelBatch) -> Vectors:
        if self.images_seen >= int(os.environ.get("STALL_AFTER", sys.maxsize)):
            Path(os.environ["STALL_MARKER"]).touch()
            time.sleep(600)
        return super().embed_batch(images)


def main() -> None:
    """The command line with a model that needs no TensorFlow."""
    from indexer.cli import app, main

    embedder = StallingEmbedder()
    with patch.multiple(
        app, load_embedder=lambda _: embedder, resolve_spec=lambda _: embedder.spec
    ):
        main(prog_name="python -m indexer")


if __name__ == "__main__":
    main()

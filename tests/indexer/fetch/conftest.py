"""Sources of photos, and a server that they may ask."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer.config import FetchSettings
from indexer.fetch import PhotoSource, Resolve
from indexer.images import ImageLimits
from tests.photo_server import HOST, PhotoServer, running

LIMIT = 64 * 1024


@pytest.fixture
def server() -> Iterator[PhotoServer]:
    with running(PhotoServer()) as server:
        yield server


def at(*addresses: str) -> Resolve:
    """A resolver that gives these addresses for every name."""

    def resolve(host: str, port: int) -> list[str]:  # noqa: ARG001
        return list(addresses)

    return resolve


local = at("127.0.0.1")


def source(
    *allowed: str, cache: Path | None = None, seconds: float = 5, resolve: Resolve = local
) -> PhotoSource:
    settings = FetchSettings(allowed_hosts=list(allowed), timeout_s=seconds)
    return PhotoSource(ImageLimits(max_bytes=LIMIT), settings, cache, resolve)


@pytest.fixture
def photos(server: PhotoServer) -> PhotoSource:
    """A source that may ask the server."""
    return source(f"{HOST}:{server.port}", seconds=3)

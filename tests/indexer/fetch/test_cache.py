"""A photo that has not changed is not downloaded again."""

import os
import time
from hashlib import sha256
from pathlib import Path

import pytest

from indexer.config import FetchSettings
from indexer.errors import FetchError, HostError
from indexer.fetch import PhotoSource
from indexer.images import ImageLimits
from tests.indexer.fetch.conftest import LIMIT, local, source
from tests.photo_server import HOST, PHOTO, PhotoServer, reply, to


@pytest.fixture
def cached(server: PhotoServer, tmp_path: Path) -> PhotoSource:
    return source(f"{HOST}:{server.port}", cache=tmp_path / "cache")


@pytest.mark.parametrize(
    ("given_with", "asked_with"),
    [
        ({"ETag": '"1"'}, {"If-None-Match": '"1"'}),
        (
            {"Last_Modified": "Mon, 01 Jan 2024 00:00:00 GMT"},
            {"If-Modified-Since": "Mon, 01 Jan 2024 00:00:00 GMT"},
        ),
    ],
)
def test_an_unchanged_photo_is_asked_about_and_not_downloaded(
    server: PhotoServer,
    cached: PhotoSource,
    given_with: dict[str, str],
    asked_with: dict[str, str],
) -> None:
    server.answers = [reply(**given_with), reply(b"", 304)]
    assert [cached.read(server.url) for _ in range(3)] == [PHOTO] * 3
    assert server.answers[0] is not None
    assert all(asked_with.items() <= headers.items() for _, headers in server.requests[1:])
    assert server.connections == 1


def test_a_changed_photo_replaces_the_old_one(server: PhotoServer, cached: PhotoSource) -> None:
    server.answers = [reply(ETag='"1"'), reply(b"new", ETag='"2"'), reply(b"", 304)]
    assert [cached.read(server.url) for _ in range(3)] == [PHOTO, b"new", b"new"]
    assert server.requests[2][1]["If-None-Match"] == '"2"'


def test_a_photo_without_a_validator_is_downloaded_again(
    server: PhotoServer, cached: PhotoSource
) -> None:
    server.answers = [reply(), reply(b"new")]
    assert [cached.read(server.url) for _ in range(2)] == [PHOTO, b"new"]
    assert "If-None-Match" not in server.requests[1][1]


def recent(server: PhotoServer, folder: Path, max_age_s: float = 3600) -> PhotoSource:
    """A source that does not ask about photos younger than this."""
    settings = FetchSettings(allowed_hosts=[f"{HOST}:{server.port}"])
    limits = ImageLimits(max_bytes=LIMIT)
    return PhotoSource(limits, settings, folder, local, max_age_s=max_age_s)


def age(folder: Path, seconds: float) -> None:
    """Makes the photos of a cache look as if their server was asked that long ago."""
    for file in folder.glob("*/*"):
        os.utime(file, (time.time(), time.time() - seconds))


@pytest.mark.parametrize("headers", [{}, {"ETag": "1"}])
def test_the_host_of_a_recent_photo_is_not_asked(
    server: PhotoServer, tmp_path: Path, headers: dict[str, str]
) -> None:
    server.answers = [reply(**headers), reply(b"new")]
    assert [recent(server, tmp_path).read(server.url) for _ in range(3)] == [PHOTO] * 3
    assert len(server.requests) == 1
    age(tmp_path, 3700)
    assert recent(server, tmp_path).read(server.url) == b"new"


def test_a_photo_is_recent_again_once_its_host_says_that_it_is_unchanged(
    server: PhotoServer, tmp_path: Path
) -> None:
    server.answers = [reply(ETag="1"), reply(b"", 304), reply(b"new")]
    recent(server, tmp_path).read(server.url)
    age(tmp_path, 3700)
    assert [recent(server, tmp_path).read(server.url) for _ in range(2)] == [PHOTO] * 2
    assert len(server.requests) == 2


def test_a_photo_from_the_future_is_not_recent(server: PhotoServer, tmp_path: Path) -> None:
    server.answers = [reply(ETag="1"), reply(b"new")]
    recent(server, tmp_path).read(server.url)
    age(tmp_path, -1000)
    assert recent(server, tmp_path).read(server.url) == b"new"


def test_a_photo_that_its_host_no_longer_has_is_not_kept(
    server: PhotoServer, tmp_path: Path
) -> None:
    server.answers = [reply(ETag="1"), reply(b"", 404)]
    recent(server, tmp_path).read(server.url)
    with pytest.raises(FetchError, match="404"):
        recent(server, tmp_path, 0).read(server.url)
    assert recent(server, tmp_path).kept(server.url) is None


def test_a_photo_is_kept_while_its_host_is_down(server: PhotoServer, tmp_path: Path) -> None:
    server.answers = [reply(ETag="1"), reply(b"", 503)]
    recent(server, tmp_path).read(server.url)
    with pytest.raises(HostError, match="503"):
        recent(server, tmp_path, 0).read(server.url)
    assert recent(server, tmp_path).kept(server.url) == PHOTO


def test_validators_go_only_to_the_url_that_gave_them(
    server: PhotoServer, cached: PhotoSource
) -> None:
    """Else a redirect to another photo, older than this one, would be taken for no change."""
    server.answers = [to("/1.jpg"), reply(Last_Modified="Mon, 01 Jan 2024 00:00:00 GMT")]
    assert cached.read(server.url) == PHOTO
    server.answers = [to("/2.jpg"), reply(b"other", Last_Modified="Sun, 01 Jan 2023 00:00:00 GMT")]
    assert cached.read(server.url) == b"other"
    assert not any("If-Modified-Since" in headers for _, headers in server.requests)


@pytest.mark.parametrize("position", [0, 40, 120, -1])
def test_a_damaged_entry_is_downloaded_again(
    server: PhotoServer, cached: PhotoSource, tmp_path: Path, position: int
) -> None:
    server.answers = [reply(ETag='"1"')]
    cached.read(server.url)
    (file,) = (tmp_path / "cache").glob("*/*")
    content = bytearray(file.read_bytes())
    content[position] ^= 1
    file.write_bytes(content)
    assert cached.read(server.url) == PHOTO
    assert "If-None-Match" not in server.requests[1][1]
    for size in (0, 10, len(content) - 1):
        os.truncate(file, size)
        assert cached.read(server.url) == PHOTO


def test_a_cache_that_cannot_be_written_does_no_harm(server: PhotoServer, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    photos = source(f"{HOST}:{server.port}", cache=tmp_path / "file")
    server.answers = [reply(ETag='"1"')]
    assert [photos.read(server.url) for _ in range(2)] == [PHOTO] * 2


def test_a_full_cache_keeps_what_it_has_and_drops_what_no_run_has_used(
    server: PhotoServer, tmp_path: Path
) -> None:
    server.answers = [reply(bytes(LIMIT), ETag='"1"')]

    def run(numbers: range) -> None:
        settings = FetchSettings(allowed_hosts=[f"{HOST}:{server.port}"], cache_mib=1)
        photos = PhotoSource(ImageLimits(), settings, tmp_path / "cache", local)
        for number in numbers:
            photos.read(f"{server.url}?{number}")

    def whole() -> set[Path]:
        """The entries with their data."""
        return {file for file in (tmp_path / "cache").glob("*/*") if file.stat().st_size > LIMIT}

    run(range(20))
    files = whole()
    assert len(files) == 15  # of 64 KiB and a few bytes each
    run(range(20, 30))
    assert whole() == files
    old = sorted(files)[:5]
    for file in old:
        os.utime(file, (0, time.time() - 31 * 24 * 3600))
    run(range(30, 40))
    left = whole()
    assert len(left) == 15
    assert left & files == files - set(old)


def full(server: PhotoServer, folder: Path, max_age_s: float) -> PhotoSource:
    """A source whose cache has space for no photo of these tests."""
    settings = FetchSettings(allowed_hosts=[f"{HOST}:{server.port}"], cache_mib=1)
    photos = PhotoSource(ImageLimits(), settings, folder, local, max_age_s=max_age_s)
    (folder / "00").mkdir(parents=True, exist_ok=True)
    (folder / "00" / "other").write_bytes(bytes(2**20 - 2000))
    return photos


def test_a_stored_photo_that_the_full_cache_cannot_hold_is_not_downloaded_again(
    server: PhotoServer, tmp_path: Path
) -> None:
    digest = sha256(PHOTO).hexdigest()
    server.answers = [reply(ETag="1"), reply(b"", 304), reply(b"new", ETag="2")]
    assert full(server, tmp_path, 3600).read(server.url) == PHOTO
    recent_ones = full(server, tmp_path, 3600)
    assert recent_ones.read_unless(server.url, {digest}.__contains__) == (digest, None)
    assert (len(server.requests), recent_ones.kept(server.url)) == (1, None)
    always = full(server, tmp_path, 0)
    assert always.read_unless(server.url, {digest}.__contains__) == (digest, None)
    assert server.requests[1][1]["If-None-Match"] == "1"
    assert always.read_unless(server.url, {digest}.__contains__)[1] == b"new"


def test_a_photo_that_neither_store_nor_cache_has_is_downloaded(
    server: PhotoServer, tmp_path: Path
) -> None:
    server.answers = [reply(ETag="1")]
    for _ in range(2):
        photos = full(server, tmp_path, 3600)
        assert photos.read_unless(server.url, lambda _: False) == (sha256(PHOTO).hexdigest(), PHOTO)
    assert "If-None-Match" not in server.requests[1][1]

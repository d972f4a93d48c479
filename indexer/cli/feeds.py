"""Feeds as arguments: a path, a URL, or `-` for standard input."""

import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from indexer.cli.app import App, log
from indexer.errors import BadParameterError
from indexer.feeds import Feed, extension_of, read_feed
from indexer.fetch import FeedDownloads, is_url
from indexer.files import storage_error

STDIN = "-"
_COPIES = "reading-"  # starts the names of folders with copies
_UNUSED_S = 7 * 24 * 3600  # longer than a command takes


@contextmanager
def opened(app: App, names: Sequence[str]) -> Iterator[list[Feed]]:
    """Provides feeds until the end of the block, and reads the first row of each.

    Feeds from URLs and from standard input are copied to disk, because they are read twice.

    Raises:
        BadParameterError: standard input is named twice.
        FeedError: a feed cannot be downloaded or read.
        StorageError: there is no space for a copy.
    """
    if names.count(STDIN) > 1:
        raise BadParameterError("- (standard input) can be read only once")
    if not any(map(_is_copied, names)):
        feeds = [Feed.of(Path(name)) for name in names]
        yield _readable(feeds)
        return
    cache = app.settings.feed_cache
    try:
        cache.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(cache)
        folder = TemporaryDirectory(prefix=_COPIES, dir=cache)
    except OSError as error:
        raise storage_error(f"cannot write to {cache}", error) from error
    with folder:
        copies = (Path(folder.name, str(number)) for number in range(len(names)))
        yield _readable([_feed(app, name, copy) for name, copy in zip(names, copies, strict=True)])


def _remove_leftovers(cache: Path) -> None:
    """Deletes copies that a killed command left, and downloads of a week ago.

    Signed URLs are different each time, so the downloads would fill the disk.
    """
    for path in cache.iterdir():
        with suppress(FileNotFoundError):  # another command ended
            if path.stat().st_mtime < time.time() - _UNUSED_S:
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink()


def _is_copied(name: str) -> bool:
    return name == STDIN or is_url(name)


def _feed(app: App, name: str, copy: Path) -> Feed:
    if not _is_copied(name):
        return Feed.of(Path(name))
    if name == STDIN:
        _copy(sys.stdin.buffer, copy)
        return Feed(_named(copy, ""), "stdin", Path.cwd())
    with log.status(f"downloading {name}"):
        FeedDownloads(app.settings.fetch, copy.parent.parent).save(name, copy)
    return Feed(_named(copy, name), name, name)


def _copy(stream: BinaryIO, file: Path) -> None:
    try:
        with file.open("wb") as target:
            shutil.copyfileobj(stream, target)
    except OSError as error:
        raise storage_error(f"cannot copy the feed to {file.parent}", error) from error


def _named(copy: Path, url: str) -> Path:
    """Gives a copied feed the extension of its format."""
    return copy.rename(copy.with_suffix(extension_of(url, copy)))


def _readable(feeds: list[Feed]) -> list[Feed]:
    """Reads the first row of each feed, so that no catalogue is created for an invalid one."""
    for feed in feeds:
        next(read_feed(feed), None)
    return feeds

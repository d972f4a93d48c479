"""Downloads feeds, and keeps the last version of each for the next request."""

import json
import os
from contextlib import suppress
from hashlib import file_digest, sha256
from io import FileIO
from pathlib import Path
from typing import Any

from indexer.config import FetchSettings
from indexer.errors import FeedError, ImageError
from indexer.fetch.addresses import Guard, Resolve, resolve
from indexer.fetch.download import Download, Downloader
from indexer.files import storage_error, write_atomically

_MIB = 2**20


class FeedDownloads:
    """Downloads feeds, with the address checks of photos. An unchanged feed is not sent again.

    Args:
        settings: of downloads.
        folder: of the downloaded feeds; it exists, and its files may be deleted.
        resolve: resolves host names.
    """

    def __init__(self, settings: FetchSettings, folder: Path, resolve: Resolve = resolve) -> None:
        guard = Guard(settings.allowed_hosts, resolve)
        limits = (settings.feed_mib * _MIB, settings.feed_timeout_s)
        # Shop systems make a feed when it is requested, and send nothing meanwhile.
        waits = settings.feed_timeout_s
        self._downloader = Downloader(guard, *limits, accept="*/*", read_s=waits)
        self._folder = folder

    def save(self, url: str, target: Path) -> None:
        """Writes the present content of a URL to `target`, a new file below the folder.

        Raises:
            FeedError: the URL is not permitted, or does not return a file within the limits.
            StorageError: the file cannot be written.
        """
        content = self._folder / sha256(url.encode()).hexdigest()
        head = content.with_suffix(".json")
        known = _known(content, head)
        try:
            with _OnDisk(target, "x+") as file:
                found = self._downloader.get(url, known, file)
            if found is known:
                target.unlink()
                target.hardlink_to(content)
            else:
                _keep(target, content, head, found)
        except ImageError as error:  # whose texts are about photos
            raise FeedError(f"{url}: {str(error).replace('photo', 'feed')}") from error
        except OSError as error:
            raise storage_error(f"cannot write to {self._folder}", error) from error


class _OnDisk(FileIO):
    """A file whose errors are those of the disk, not of the connection."""

    def write(self, data: Any) -> int:
        left = memoryview(data)
        try:
            while left:
                left = left[super().write(left) :]
        except OSError as error:
            raise storage_error(f"cannot write to {os.fspath(self.name)}", error) from error
        return len(memoryview(data))


def _known(content: Path, head: Path) -> Download | None:
    """Returns the last download, without its data; None if there is none or it is damaged."""
    try:
        stored = json.loads(head.read_bytes())
        intact = stored.pop("sha256") == _digest(content)
    except (OSError, ValueError):
        return None
    return Download(b"", **stored) if intact else None


def _keep(file: Path, content: Path, head: Path, download: Download) -> None:
    content.unlink(missing_ok=True)
    with suppress(OSError):  # another process keeps its own, or a file system without links
        content.hardlink_to(file)
    stored = {
        "sha256": _digest(file),
        "source": download.source,
        "etag": download.etag,
        "last_modified": download.last_modified,
    }
    write_atomically(head, json.dumps(stored).encode(), durable=False)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()

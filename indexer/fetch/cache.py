"""Cache of downloaded photos on disk, so that unchanged photos are only revalidated."""

import json
import os
import threading
import time
from contextlib import suppress
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

from indexer.fetch.download import Download
from indexer.files import write_atomically

_UNUSED_S = 30 * 24 * 3600
_DIGEST = 32


class PhotoCache:
    """Photos by URL, one file each. Thread-safe; several processes may share the folder.

    The cache may be deleted at any time. Damaged files are ignored, and photos that cannot be
    stored are skipped. Photos unused for 30 days are deleted. When the cache is full, it stores
    no more photos: feeds are read in order, so evicting the oldest photo would delete each one
    shortly before it is needed.

    Args:
        folder: created when the first photo is stored.
        max_bytes: maximum size of all files together.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._total: int | None = None

    def load(self, url: str) -> Download | None:
        """Returns the photo stored for `url`; None if there is none or it is damaged."""
        file = self._file(url)
        try:
            content = file.read_bytes()
        except OSError:
            return None
        with suppress(OSError):  # the service may have read access only
            os.utime(file)
        digest, rest = content[:_DIGEST], content[_DIGEST:]
        if sha256(rest).digest() != digest:
            return None
        head, _, data = rest.partition(b"\n")
        return Download(data=data, **json.loads(head))

    def store(self, url: str, photo: Download) -> None:
        """Stores `photo` for `url` if it has validators and the cache is not full."""
        if not photo.validators:
            return
        file = self._file(url)
        head = {key: value for key, value in asdict(photo).items() if key != "data"}
        rest = json.dumps(head).encode() + b"\n" + photo.data
        with suppress(OSError):
            if not self._reserve(_DIGEST + len(rest)):
                return
            file.parent.mkdir(parents=True, exist_ok=True)
            # Not durable: the digest detects a file damaged by a power cut.
            write_atomically(file, sha256(rest).digest() + rest, durable=False)

    def _file(self, url: str) -> Path:
        name = sha256(url.encode()).hexdigest()
        return self._folder / name[:2] / name

    def _reserve(self, size: int) -> bool:
        with self._lock:
            if self._total is None:
                self._total = self._clean()
            fits = self._total + size <= self._max_bytes
            self._total += size if fits else 0
        return fits

    def _clean(self) -> int:
        """Deletes photos that were not used for long; returns the bytes of the others."""
        total, oldest = 0, time.time() - _UNUSED_S
        for file in self._folder.glob("*/*"):
            with suppress(FileNotFoundError):  # another process cleans too
                status = file.stat()
                if status.st_mtime < oldest:
                    file.unlink()
                else:
                    total += status.st_size
        return total

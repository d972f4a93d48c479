"""Cache of downloaded photos on disk.

A recent photo is read from here; an older one is revalidated, and downloaded only if it changed.
"""

import json
import os
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from indexer.fetch.download import Download
from indexer.files import write_atomically

_UNUSED_S = 30 * 24 * 3600
_DIGEST = 32
_BLOCK = 4096  # bytes of the smallest file on disk
_OVER = 1.1


@dataclass(frozen=True)
class Kept:
    """An entry of the cache.

    Attributes:
        photo: without its data if there was no space for them.
        age_s: seconds since its server was last asked.
        content_hash: SHA-256 of the data.
    """

    photo: Download
    age_s: float
    content_hash: str


class PhotoCache:
    """Photos by URL, one file each. Thread-safe; several processes may share the folder.

    The cache may be deleted at any time. Damaged files are ignored, and photos that cannot be
    stored are skipped. Photos unused for 30 days are deleted. When the cache is full, it stores
    of further photos what tells whether they have changed, without their data: feeds are read in
    order, so evicting the oldest photo would delete each one shortly before it is needed. The
    modification time of a file is when the server was last asked,
    its access time when the photo was last used.

    Args:
        folder: created when the first photo is stored.
        max_bytes: maximum size of all photos together; entries without data may use a tenth more.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._total: int | None = None

    def load(self, url: str) -> Kept | None:
        """Returns the photo stored for `url`; None if there is none or it is damaged."""
        file = self._file(url)
        try:
            content, asked = file.read_bytes(), file.stat().st_mtime_ns
        except OSError:
            return None
        with suppress(OSError):  # the service may have read access only
            os.utime(file, ns=(time.time_ns(), asked))
        digest, rest = content[:_DIGEST], content[_DIGEST:]
        if sha256(rest).digest() != digest:
            return None
        line, _, data = rest.partition(b"\n")
        head = json.loads(line)
        content_hash = head.pop("content_hash", "")  # absent in files of earlier versions
        return Kept(Download(data=data, **head), time.time() - asked / 1e9, content_hash)

    def confirm(self, url: str) -> None:
        """Records that the server was asked just now and the stored photo is unchanged."""
        with suppress(OSError):
            os.utime(self._file(url))

    def discard(self, url: str) -> None:
        """Deletes the photo of `url`, if there is one."""
        with suppress(OSError):
            self._file(url).unlink(missing_ok=True)

    def store(self, url: str, photo: Download) -> None:
        """Stores `photo` for `url`, without its data if the cache is full."""
        file = self._file(url)
        head = {key: value for key, value in asdict(photo).items() if key != "data"}
        head["content_hash"] = sha256(photo.data).hexdigest()
        rest = json.dumps(head).encode() + b"\n"
        with suppress(OSError):
            if self._reserve(_DIGEST + len(rest) + len(photo.data), self._max_bytes):
                rest += photo.data
            elif not self._reserve(_BLOCK, self._max_bytes * _OVER):
                file.unlink(missing_ok=True)
                return
            file.parent.mkdir(parents=True, exist_ok=True)
            # Not durable: the digest detects a file damaged by a power cut.
            write_atomically(file, sha256(rest).digest() + rest, durable=False)

    def _file(self, url: str) -> Path:
        name = sha256(url.encode()).hexdigest()
        return self._folder / name[:2] / name

    def _reserve(self, size: int, limit: float) -> bool:
        with self._lock:
            if self._total is None:
                self._total = self._clean()
            fits = self._total + size <= limit
            self._total += size if fits else 0
        return fits

    def _clean(self) -> int:
        """Deletes photos that were not used for long; returns the bytes of the others."""
        total, oldest = 0, time.time() - _UNUSED_S
        for file in self._folder.glob("*/*"):
            with suppress(FileNotFoundError):  # another process cleans too
                status = file.stat()
                if max(status.st_atime, status.st_mtime) < oldest:
                    file.unlink()
                else:
                    total += max(status.st_size, _BLOCK)
        return total

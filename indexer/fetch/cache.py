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


@dataclass(frozen=True)
class Kept:
    """A photo of the cache, and the seconds since its server was last asked about it."""

    photo: Download
    age_s: float


class PhotoCache:
    """Photos by URL, one file each. Thread-safe; several processes may share the folder.

    The cache may be deleted at any time. Damaged files are ignored, and photos that cannot be
    stored are skipped. Photos unused for 30 days are deleted. When the cache is full, it stores
    no more photos: feeds are read in order, so evicting the oldest photo would delete each one
    shortly before it is needed. The modification time of a file is when the server was last asked,
    its access time when the photo was last used.

    Args:
        folder: created when the first photo is stored.
        max_bytes: maximum size of all files together.
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
        head, _, data = rest.partition(b"\n")
        return Kept(Download(data=data, **json.loads(head)), time.time() - asked / 1e9)

    def confirm(self, url: str) -> None:
        """Records that the server was asked just now and the stored photo is unchanged."""
        with suppress(OSError):
            os.utime(self._file(url))

    def discard(self, url: str) -> None:
        """Deletes the photo of `url`, if there is one."""
        with suppress(OSError):
            self._file(url).unlink(missing_ok=True)

    def store(self, url: str, photo: Download) -> None:
        """Stores `photo` for `url`; if the cache is full, only deletes the one before."""
        file = self._file(url)
        head = {key: value for key, value in asdict(photo).items() if key != "data"}
        rest = json.dumps(head).encode() + b"\n" + photo.data
        with suppress(OSError):
            if not self._reserve(_DIGEST + len(rest)):
                file.unlink(missing_ok=True)
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
                if max(status.st_atime, status.st_mtime) < oldest:
                    file.unlink()
                else:
                    total += status.st_size
        return total

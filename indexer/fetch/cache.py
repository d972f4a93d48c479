"""Downloaded photos on disk, so that an unchanged feed is asked about and not downloaded again."""

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
    """Photos by URL, a file each. Thread-safe; several processes may share the folder.

    Nothing in it is needed: it may be deleted at any time, a damaged file counts as absent,
    and a full disk only leaves a photo out. A photo that no run has used for 30 days goes.
    When the cache is full, further photos are left out: feeds are read from front to back, so
    replacing the oldest photo would drop each shortly before its turn.

    Args:
        folder: of the cache; made when there is something to store.
        max_bytes: of all files together.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._total: int | None = None

    def load(self, url: str) -> Download | None:
        """What is stored for `url`, unless it is damaged."""
        file = self._file(url)
        try:
            content = file.read_bytes()
        except OSError:
            return None
        with suppress(OSError):  # a service may read it without being allowed to write
            os.utime(file)
        digest, rest = content[:_DIGEST], content[_DIGEST:]
        if sha256(rest).digest() != digest:
            return None
        head, _, data = rest.partition(b"\n")
        return Download(data=data, **json.loads(head))

    def store(self, url: str, photo: Download) -> None:
        """Keeps `photo` for `url`, if its server can be asked about changes and there is room."""
        if not photo.validators:
            return
        file = self._file(url)
        head = {key: value for key, value in asdict(photo).items() if key != "data"}
        rest = json.dumps(head).encode() + b"\n" + photo.data
        with suppress(OSError):
            if not self._reserve(_DIGEST + len(rest)):
                return
            file.parent.mkdir(parents=True, exist_ok=True)
            # A file that a power cut leaves damaged does not match its digest.
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
        """Removes what was not used for long; the bytes of the rest."""
        total, oldest = 0, time.time() - _UNUSED_S
        for file in self._folder.glob("*/*"):
            with suppress(FileNotFoundError):  # another process cleans too
                status = file.stat()
                if status.st_mtime < oldest:
                    file.unlink()
                else:
                    total += status.st_size
        return total

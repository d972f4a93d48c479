"""A cache of small files on disk, within a limit on their size."""

import os
import shutil
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from indexer.files import write_atomically

_DIGEST = 32  # bytes of SHA-256 before the data
_FOLDERS = 256  # by the first two digits of the key
_SPARE = 256 * 2**20  # bytes of the disk that the cache leaves to the catalogue


class FileCache:
    """Files by key. Thread-safe; several processes may share the folder.

    The cache may be deleted at any time. Damaged files are ignored, and what cannot be stored is
    not. Each of its folders has an equal share of the limit, so storing a file lists one folder:
    from that, the files that were unused for longest are deleted to make room.

    Args:
        folder: created when the first file is stored.
        max_bytes: maximum size of all files together; 0 stores none.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._share = max_bytes // _FOLDERS

    def load(self, key: str) -> bytes | None:
        """Returns the data of a key; None if there is none or it is damaged.

        Args:
            key: a valid file name that starts with two hexadecimal digits of a hash.
        """
        path = self._path(key)
        try:
            content = path.read_bytes()
        except OSError:
            return None
        with suppress(OSError):  # the folder may be read-only
            os.utime(path)
        digest, data = content[:_DIGEST], content[_DIGEST:]
        return data if sha256(data).digest() == digest else None

    def store(self, key: str, data: bytes) -> None:
        """Stores the data of a key, if there is room for it."""
        path, size = self._path(key), _DIGEST + len(data)
        if size > self._share:
            return
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            if shutil.disk_usage(path.parent).free < _SPARE:
                return
            _make_room(path.parent, self._share - size)
            # Not durable: the digest detects a file damaged by a power cut.
            write_atomically(path, sha256(data).digest() + data, durable=False)

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / key


def _make_room(folder: Path, max_bytes: int) -> None:
    """Deletes the files that were unused for longest, until the others fit."""
    files = []
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):  # another process makes room too
                status = entry.stat()
                files.append((status.st_mtime_ns, status.st_size, entry.path))
    total = sum(size for _, size, _ in files)
    for _, size, path in sorted(files):
        if total <= max_bytes:
            return
        Path(path).unlink(missing_ok=True)
        total -= size

"""Files of arrays that are mapped into memory: checksummed, and never edited once written.

A file consists of a header with the checksum of each array, then the arrays. The size of the
header is 4096 bytes or the first larger power of two that is enough.
"""

import json
import os
import zlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.errors import CatalogError
from indexer.files import replacing, storage_error, writer_lock

_MIN_HEADER = 4096
_MAX_HEADER = 1 << 26
_ALIGNMENT = 64

Array = NDArray[Any]
Arrays = dict[str, Array]
Header = dict[str, Any]  # as JSON
FileId = tuple[int, int, int]


class ArraysFile:
    """A file of arrays.

    Args:
        path: of the file.
        version: of its format; files of other versions are refused.
        error: class of the errors.
        remedy: what to do about a damaged file.
    """

    def __init__(self, path: Path, version: int, error: type[CatalogError], remedy: str) -> None:
        self._path = path
        self._version = version
        self._error = error
        self._remedy = remedy

    def write(self, header: Header, arrays: Mapping[str, Array]) -> None:
        """Replaces the file atomically; the new one is durable when this returns.

        Args:
            header: what the file says about its arrays.
            arrays: by name, contiguous.

        Raises:
            DiskFullError, ReadOnlyError, `error`: it cannot be written; the old file remains.
        """
        described = {
            name: [array.dtype.str, array.shape, zlib.crc32(array.data)]
            for name, array in arrays.items()
        }
        try:
            with replacing(self._path) as file:
                file.write(_encoded({"format": self._version, **header, "arrays": described}))
                for array in arrays.values():
                    file.write(array.data)
                    file.write(bytes(-array.nbytes % _ALIGNMENT))
        except OSError as error:
            raise storage_error(f"{self._path}: cannot be written", error, self._error) from error

    def read_header(self) -> Header:
        """Reads only the header.

        Raises:
            `error`: the header is damaged, or of another version of this software.
            FileNotFoundError: there is no file.
        """
        with self._errors_named():
            return self._header(self._mapped())[0]

    def open(self) -> tuple[Header, Arrays]:
        """Maps the arrays, which are read-only; reads the whole file to verify its checksums.

        Raises:
            `error`: the file is damaged, or of another version of this software.
            FileNotFoundError: there is no file.
        """
        with self._errors_named():
            data = self._mapped()
            header, start = self._header(data)
            return header, _arrays(data, start, header["arrays"])

    def _mapped(self) -> Array:
        return np.memmap(self._path, np.uint8, "r").view(np.ndarray)

    def _header(self, data: Array) -> tuple[Header, int]:
        """Returns the header and its size, which is that for which the checksum is right."""
        size = _MIN_HEADER
        while size <= min(len(data), _MAX_HEADER):
            text = data[8:size].tobytes().rstrip()
            if data[:8].tobytes() == b"%08x" % zlib.crc32(text):
                header: Header = json.loads(text)
                if header["format"] != self._version:
                    raise ValueError(f"format {header['format']}, expected {self._version}")
                return header, size
            size *= 2
        raise ValueError("wrong checksum of the header")

    @contextmanager
    def _errors_named(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise self._error(f"{self._path}: damaged: {error}; {self._remedy}") from error


def identity_of(path: Path) -> FileId | None:
    """Returns what changes when a file is replaced; None if there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds the lock of a file's folder, and deletes what a killed process left of the file.

    Raises:
        LockedError: another process holds it.
        StorageError: the folder cannot be created.
    """
    folder = path.parent
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise storage_error(f"{folder}: cannot be created", error) from error
    with writer_lock(folder):
        for rest in folder.glob(f".{path.name}.*"):
            with suppress(OSError):
                rest.unlink()
        yield


def _encoded(header: Header) -> bytes:
    text, size = json.dumps(header).encode(), _MIN_HEADER
    while size < 8 + len(text):
        size *= 2
    return b"%08x%s" % (zlib.crc32(text), text.ljust(size - 8))


def _arrays(data: Array, start: int, described: dict[str, list[Any]]) -> Arrays:
    arrays, checksums = {}, []
    for name, (dtype, shape, checksum) in described.items():
        size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
        arrays[name] = data[start : start + size].view(dtype).reshape(shape)
        checksums.append(checksum)
        start += size + -size % _ALIGNMENT
    if start != len(data):
        raise ValueError(f"has {len(data)} bytes, expected {start}")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        if list(pool.map(zlib.crc32, arrays.values())) != checksums:
            raise ValueError("wrong checksum")
    return arrays

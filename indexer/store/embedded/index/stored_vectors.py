"""Vectors in a file, mapped into memory; each block is verified before its first use.

Layout: the vectors, float32 (n, dimension), then the CRC-32 of each block of `_BLOCK_ROWS` vectors,
uint32. The checksum of the checksums is kept elsewhere. Files of many gigabytes are thus opened
without reading them.
"""

import os
import threading
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from indexer.arrays import Ids, Vectors
from indexer.store.embedded.catalog.segments import SegmentError

# A search reads single vectors, and verifies the blocks that contain them: small ones.
_BLOCK_ROWS = 4


def bytes_of(count: int, dimension: int) -> tuple[int, int]:
    """Returns the sizes in bytes of `count` vectors and of their checksums."""
    return 4 * count * dimension, 4 * -(-count // _BLOCK_ROWS)


class StoredVectors:
    """The vectors (count, dimension) at the start of a file. Thread-safe.

    Args:
        path: of the file, which is never modified.
        count: number of vectors, at least 1.
        dimension: of each vector.
    """

    def __init__(self, path: Path, count: int, dimension: int) -> None:
        self._path = path
        vectors = np.memmap(path, np.float32, "r", shape=(count, dimension))
        self._vectors: Vectors = np.asarray(vectors)
        size, _ = bytes_of(count, dimension)
        blocks = -(-count // _BLOCK_ROWS)
        self._checksums = np.fromfile(path, np.uint32, blocks, offset=size)
        self._verified = np.zeros(blocks, np.bool_)
        threading.Thread(target=_load, args=(path,), daemon=True).start()

    def rows(self, rows: Ids) -> Vectors:
        """Returns a copy of some rows, (n, dimension).

        Raises:
            SegmentError: they are damaged.
        """
        blocks = rows // _BLOCK_ROWS
        self._verify(np.unique(blocks[~self._verified[blocks]]))
        found: Vectors = self._vectors.take(rows, axis=0)
        return found

    def verify(self) -> None:
        """Verifies all vectors.

        Raises:
            SegmentError: some are damaged.
        """
        self._verify(np.flatnonzero(~self._verified))

    def _verify(self, blocks: Ids) -> None:
        for block in blocks.tolist():
            rows = self._vectors[block * _BLOCK_ROWS : (block + 1) * _BLOCK_ROWS]
            if zlib.crc32(rows.data) != self._checksums[block]:
                raise SegmentError(f"{self._path}: damaged, wrong checksum of vectors")
        self._verified[blocks] = True


def _load(path: Path) -> None:
    """Requests the file to be read into the page cache."""
    with suppress(OSError), path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)


class VectorWriter:
    """Writes vectors in this layout.

    Args:
        write: appends bytes to the file.
        dimension: of each vector.
    """

    def __init__(self, write: Callable[[bytes], object], dimension: int) -> None:
        self._write = write
        self._block = 4 * _BLOCK_ROWS * dimension  # bytes
        self._rest = b""
        self._checksums: list[int] = []

    def add(self, vectors: Vectors) -> None:
        """Appends vectors (n, dimension)."""
        data = vectors.tobytes()
        self._write(data)
        data = self._rest + data
        whole = len(data) - len(data) % self._block
        self._check(data[:whole])
        self._rest = data[whole:]

    def finish(self) -> None:
        """Appends the checksums."""
        self._check(self._rest)
        self._write(np.array(self._checksums, np.uint32).tobytes())

    def _check(self, data: bytes) -> None:
        view = memoryview(data)
        starts = range(0, len(data), self._block)
        self._checksums += [zlib.crc32(view[start : start + self._block]) for start in starts]

"""Segments: immutable index files, checksummed and mapped into memory.

A file begins with the vectors (`stored_vectors`) if the index contains only codes of them; the
index follows in the format of FAISS.
"""

import os
import re
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from hashlib import file_digest, sha256
from math import isqrt
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from indexer.arrays import Vectors
from indexer.files import storage_error, sync
from indexer.store.embedded.catalog import CatalogReader
from indexer.store.embedded.catalog.segments import Segment, SegmentError, folder_of, image_ids
from indexer.store.embedded.index.faiss_index import FaissIndex, parts
from indexer.store.embedded.index.stored_vectors import StoredVectors, VectorWriter, bytes_of

# Matches finished and unfinished segments.
FILES = "segment*.faiss"
_TEMPORARY = "segment-unfinished.faiss"  # a fixed name, because there is one writer
# Up to this number of images an exact search takes a few milliseconds.
_MAX_EXACT = 20_000
# Shortest vectors that are found by codes of one bit per dimension; the codes of shorter ones
# differ too much from them.
_MIN_CODED = 256
# Training vectors that FAISS needs per list, and at least in total.
_TRAINED_PER_LIST = 40
_MIN_TRAINED = 65_536
_BLOCK = 1 << 20  # bytes per write
# Bytes per checksum; several parts are computed in parallel.
_CHECKED = 1 << 27

# Limits on loops and allocations of FAISS, in case a damaged file passes its checksum.
faiss.set_deserialization_loop_limit(1 << 20)
faiss.set_deserialization_vector_byte_limit(1 << 35)


def factory(kind: str, images: int, dimension: int) -> str:
    """Converts the setting `index.type` to a FAISS factory string for images of a dimension."""
    if kind == "auto":
        codes = "RaBitQfs" if dimension >= _MIN_CODED else "Flat"
        kind = "flat" if images <= _MAX_EXACT else f"IVF{isqrt(images)},{codes}"
    if kind == "flat" or images < max(1, _TRAINED_PER_LIST * _lists(kind)):
        return "Flat"
    # The codes of RaBitQ are those of randomly rotated vectors. Scores come from exact vectors.
    return f"RR,{kind}" if kind.endswith("RaBitQfs") else kind


def write_segment(reader: CatalogReader, kind: str) -> Segment:
    """Writes a segment of all images of a catalogue into its folder.

    The segment is unused until it is recorded in the catalogue.

    Args:
        reader: of the catalogue.
        kind: FAISS factory string from `factory`.

    Raises:
        SegmentError: there are no embeddings yet, or the file cannot be written.
        DiskFullError: the disk is full.
        ReadOnlyError: the disk is read-only.
        CatalogError: a stored vector is damaged.
    """
    if reader.dimension is None:
        raise SegmentError("the catalogue holds no embeddings yet: add products first")
    folder = folder_of(reader)
    temporary = folder / _TEMPORARY
    try:
        segment = _described(reader, kind, temporary, _write(reader, kind, temporary))
        temporary.rename(segment.path)
        sync(folder)
    except OSError as error:
        raise storage_error(
            f"the catalogue is intact, but the segment cannot be written to {folder} (run"
            " `compact` once it can)",
            error,
            SegmentError,
        ) from error
    finally:
        with suppress(OSError):  # frees the space
            temporary.unlink(missing_ok=True)
    return segment


def _described(reader: CatalogReader, kind: str, temporary: Path, digest: str) -> Segment:
    """Returns the segment that a file becomes.

    Args:
        reader: of the catalogue.
        kind: FAISS factory string.
        temporary: the file before it is renamed.
        digest: SHA-256 of the file.
    """
    images, dimension = reader.counts()[1], reader.dimension or 0
    return Segment(
        path=folder_of(reader) / f"segment-{reader.seq}-{digest[:12]}.faiss",
        generation=reader.generation,
        seq=reader.seq,
        images=images,
        bytes=temporary.stat().st_size,
        crc32=_crc32(temporary, _vector_bytes(kind, images, dimension)),
        sha256=digest,
        kind=kind,
        dimension=dimension,
    )


def open_segment(segment: Segment) -> FaissIndex:
    """Verifies the index of a segment and maps its vectors into memory, unread.

    Vectors that are stored apart from the index are verified when they are used.

    Raises:
        SegmentError: the file is missing or damaged.
    """
    path = segment.path
    stored = _vector_bytes(segment.kind, segment.images, segment.dimension)
    try:
        size = path.stat().st_size
        if size != segment.bytes:
            raise SegmentError(f"{path}: has {size} bytes, expected {segment.bytes}")
        if _crc32(path, stored) != segment.crc32:
            raise SegmentError(f"{path}: damaged, wrong checksum")
        vectors = StoredVectors(path, segment.images, segment.dimension) if stored else None
        index = _read(path, sum(bytes_of(segment.images, segment.dimension)) if stored else 0)
    except (OSError, RuntimeError) as error:  # FAISS raises the latter
        raise SegmentError(f"{path}: cannot be read: {error}") from error
    inner = faiss.downcast_index(index.index)
    inner.referenced_objects = [index]  # keeps its owner alive
    return FaissIndex(faiss.vector_to_array(index.id_map), inner, vectors)


def _vector_bytes(kind: str, images: int, dimension: int) -> int:
    """Returns the size of the vectors at the start of a file; 0 if the index contains them."""
    return 0 if kind.endswith("Flat") else bytes_of(images, dimension)[0]


def _read(path: Path, start: int) -> Any:
    """Reads an index of FAISS, which is mapped into memory if it is the whole file."""
    if not start:
        return faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    with path.open("rb") as file:
        file.seek(start)
        return faiss.read_index(faiss.PyCallbackIOReader(file.read, _BLOCK))


def _lists(kind: str) -> int:
    match = re.search(r"IVF(\d+),", kind)
    return int(match[1]) if match else 0


def _untrained(dimension: int, kind: str) -> Any:
    inner = faiss.index_factory(dimension, kind, faiss.METRIC_INNER_PRODUCT)
    _, searched, _ = parts(inner)
    if isinstance(searched, faiss.IndexIVF):
        searched.make_direct_map()
    return faiss.IndexIDMap(inner)


def _build(reader: CatalogReader, kind: str, write: Callable[[bytes], object]) -> Any:
    """Returns the index; writes the vectors with `write` if the index does not contain them."""
    dimension = reader.dimension or 0
    index, vectors = _untrained(dimension, kind), VectorWriter(write, dimension)
    stored = _vector_bytes(kind, reader.counts()[1], dimension)
    if not index.is_trained:
        index.train(_sample(reader, max(_MIN_TRAINED, _TRAINED_PER_LIST * _lists(kind))))
    for ids, chunk in reader.all_vectors():
        index.add_with_ids(chunk, ids)
        if stored:
            vectors.add(chunk)
    if stored:
        vectors.finish()
    return index


def _sample(reader: CatalogReader, size: int) -> Vectors:
    ids = image_ids(reader)
    drawn = np.random.default_rng(0).choice(ids, min(size, len(ids)), replace=False)
    return reader.vectors(drawn)[1]


def _write(reader: CatalogReader, kind: str, path: Path) -> str:
    """Writes the file, reads it back and returns its SHA-256.

    Does not use the file writer of FAISS, which ignores a full disk.
    """
    written = sha256()
    with path.open("wb") as file:

        def write(block: bytes) -> None:
            file.write(block)
            written.update(block)

        index = _build(reader, kind, write)
        faiss.write_index(index, faiss.PyCallbackIOWriter(write, _BLOCK))
        file.flush()
        os.fsync(file.fileno())
    with path.open("rb") as stored:
        if file_digest(stored, "sha256").digest() != written.digest():
            raise OSError("the data read back differs from the data written")
    return written.hexdigest()


def _crc32(path: Path, start: int) -> str:
    """Returns the CRC-32 of each part of a file from `start` to its end, in hexadecimal."""
    with (
        path.open("rb") as file,
        mmap(file.fileno(), 0, access=ACCESS_READ) as mapped,
        memoryview(mapped) as view,
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        parts = [view[at : at + _CHECKED] for at in range(start, len(view), _CHECKED)]
        checksums = list(pool.map(zlib.crc32, parts))
        for part in parts:
            part.release()  # required for unmapping the file
    return "".join(f"{checksum:08x}" for checksum in checksums)

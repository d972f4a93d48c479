"""Segments: immutable index files, checksummed and mapped into memory."""

import os
import re
import zlib
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
    if kind == "flat" or images < _TRAINED_PER_LIST * _lists(kind):
        return "Flat"
    if kind.endswith("Flat"):
        return kind
    # The codes of RaBitQ are those of randomly rotated vectors. Scores come from exact vectors.
    return f"RR,{kind},RFlat" if kind.endswith("RaBitQfs") else f"{kind},RFlat"


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
    index = _build(reader, reader.dimension, kind)
    folder = folder_of(reader)
    temporary = folder / _TEMPORARY
    try:
        segment = _described(reader, kind, index.ntotal, temporary, _write(index, temporary))
        temporary.rename(segment.path)
        sync(folder)
    except OSError as error:
        with suppress(OSError):  # frees the space
            temporary.unlink(missing_ok=True)
        raise storage_error(
            f"the catalogue is intact, but the segment cannot be written to {folder} (run"
            " `compact` once it can)",
            error,
            SegmentError,
        ) from error
    return segment


def _described(
    reader: CatalogReader, kind: str, images: int, temporary: Path, digest: str
) -> Segment:
    """Returns the segment that a file becomes.

    Args:
        reader: of the catalogue.
        kind: FAISS factory string.
        images: in the file.
        temporary: the file before it is renamed.
        digest: SHA-256 of the file.
    """
    return Segment(
        path=folder_of(reader) / f"segment-{reader.seq}-{digest[:12]}.faiss",
        generation=reader.generation,
        seq=reader.seq,
        images=images,
        bytes=temporary.stat().st_size,
        crc32=_crc32(temporary),
        sha256=digest,
        kind=kind,
    )


def open_segment(segment: Segment) -> FaissIndex:
    """Verifies a segment and maps it into memory.

    Reads the whole file to verify its checksums, which also loads it into the page cache.

    Raises:
        SegmentError: the file is missing or damaged.
    """
    try:
        size = segment.path.stat().st_size
        if size != segment.bytes:
            raise SegmentError(f"{segment.path}: has {size} bytes, expected {segment.bytes}")
        if _crc32(segment.path) != segment.crc32:
            raise SegmentError(f"{segment.path}: damaged, wrong checksum")
        index = faiss.read_index(str(segment.path), faiss.IO_FLAG_MMAP_IFC)
    except (OSError, RuntimeError) as error:  # FAISS raises the latter
        raise SegmentError(f"{segment.path}: cannot be read: {error}") from error
    inner = faiss.downcast_index(index.index)
    inner.referenced_objects = [index]  # keeps its owner alive
    return FaissIndex(faiss.vector_to_array(index.id_map), inner)


def _lists(kind: str) -> int:
    match = re.search(r"IVF(\d+),", kind)
    return int(match[1]) if match else 0


def _build(reader: CatalogReader, dimension: int, kind: str) -> Any:
    inner = faiss.index_factory(dimension, kind, faiss.METRIC_INNER_PRODUCT)
    _, searched, _ = parts(inner)
    if isinstance(searched, faiss.IndexIVF):
        searched.make_direct_map()
    index = faiss.IndexIDMap(inner)
    if not index.is_trained:
        index.train(_sample(reader, max(_MIN_TRAINED, _TRAINED_PER_LIST * _lists(kind))))
    for ids, vectors in reader.all_vectors():
        index.add_with_ids(vectors, ids)
    return index


def _sample(reader: CatalogReader, size: int) -> Vectors:
    ids = image_ids(reader)
    drawn = np.random.default_rng(0).choice(ids, min(size, len(ids)), replace=False)
    return reader.vectors(drawn)[1]


def _write(index: Any, path: Path) -> str:
    """Writes the file, reads it back and returns its SHA-256.

    Does not use the file writer of FAISS, which ignores a full disk.
    """
    written = sha256()
    with path.open("wb") as file:

        def write(block: bytes) -> None:
            file.write(block)
            written.update(block)

        faiss.write_index(index, faiss.PyCallbackIOWriter(write, _BLOCK))
        file.flush()
        os.fsync(file.fileno())
    with path.open("rb") as stored:
        if file_digest(stored, "sha256").digest() != written.digest():
            raise OSError("the data read back differs from the data written")
    return written.hexdigest()


def _crc32(path: Path) -> str:
    """Returns the CRC-32 of each part of a non-empty file, in hexadecimal."""
    with (
        path.open("rb") as file,
        mmap(file.fileno(), 0, access=ACCESS_READ) as mapped,
        memoryview(mapped) as view,
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        parts = [view[start : start + _CHECKED] for start in range(0, len(view), _CHECKED)]
        checksums = list(pool.map(zlib.crc32, parts))
        for part in parts:
            part.release()  # required for unmapping the file
    return "".join(f"{checksum:08x}" for checksum in checksums)

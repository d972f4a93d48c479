"""The record of the current segment in the catalogue, and the data that segments contain."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from indexer.arrays import Ids
from indexer.errors import CatalogError
from indexer.store.embedded.catalog.checksums import checksum, path_of, require
from indexer.store.embedded.catalog.reader import CatalogReader
from indexer.store.embedded.catalog.schema import now
from indexer.store.embedded.catalog.writer import CatalogWriter


class SegmentError(CatalogError):
    """A segment cannot be written, or is damaged. The catalogue is intact."""

    code = "bad_segment"


@dataclass(frozen=True)
class Segment:
    """An immutable index file with the images of a catalogue as of one `seq`.

    Attributes:
        path: of the file.
        generation: of the embeddings.
        seq: of the journal.
        images: number of images.
        bytes: size of the file.
        crc32: CRC-32 of each part of the file after its vectors in hexadecimal, verified whenever
            it is opened.
        sha256: of the whole file.
        kind: FAISS factory string.
        dimension: of the vectors.
    """

    path: Path
    generation: int
    seq: int
    images: int
    bytes: int
    crc32: str
    sha256: str
    kind: str
    dimension: int


def folder_of(reader: CatalogReader) -> Path:
    """Returns the folder of the catalogue, which also contains its segments."""
    return Path(path_of(reader.connection)).parent


def image_ids(reader: CatalogReader) -> Ids:
    """Returns all image ids, (n,) ascending."""
    rows = reader.connection.execute("SELECT image_id FROM images ORDER BY image_id")
    return np.fromiter((row[0] for row in rows), np.int64)


def images_changed_since(reader: CatalogReader, seq: int) -> int:
    """Returns the number of additions and removals of images after `seq`."""
    (count,) = reader.connection.execute(
        "SELECT count(*) FROM journal WHERE seq > ? AND image_id IS NOT NULL", (seq,)
    ).fetchone()
    return int(count)


def current_segment(reader: CatalogReader) -> Segment | None:
    """Returns the current segment; None if there is none for the current embeddings."""
    row = reader.connection.execute(
        "SELECT file, generation, seq, images, bytes, crc32, sha256, kind, created_at, checksum"
        " FROM segments WHERE generation = ?",
        (reader.generation,),
    ).fetchone()
    if row is None or reader.dimension is None:
        return None
    file, generation, seq, images, size, crc32, digest, kind, _, stored = row
    require(reader.connection, "segments", stored, *row[:-1])
    path = folder_of(reader) / file
    return Segment(path, generation, seq, images, size, crc32, digest, kind, reader.dimension)


def record_segment(writer: CatalogWriter, segment: Segment | None) -> None:
    """Makes `segment` the current segment; None removes the current one."""
    with writer.transaction() as reader:
        reader.connection.execute("DELETE FROM segments")
        if segment:
            row = (
                segment.path.name,
                segment.generation,
                segment.seq,
                segment.images,
                segment.bytes,
                segment.crc32,
                segment.sha256,
                segment.kind,
                now(),
            )
            reader.connection.execute(
                "INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (*row, checksum(*row))
            )

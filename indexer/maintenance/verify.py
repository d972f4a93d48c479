"""Whether a catalogue agrees with itself, with its vectors and with its segment."""

from collections.abc import Callable, Iterator
from hashlib import file_digest
from pathlib import Path

import numpy as np

from indexer.arrays import Ids
from indexer.store.embedded.catalog import Catalog, CatalogReader, DamagedError, integrity
from indexer.store.embedded.catalog.places import location_of
from indexer.store.embedded.catalog.segments import (
    Segment,
    SegmentError,
    current_segment,
    folder_of,
)
from indexer.store.embedded.index import VectorIndex, open_segment

# float32 rounds a length to about 1e-7.
_LENGTH_TOLERANCE = 1e-5
_SHOWN = 20  # ids of images in one line

Check = Callable[[CatalogReader], Iterator[str]]


def verify(catalog: Catalog) -> list[str]:
    """What is wrong, one line each that names the file; empty if all is well.

    Reads everything. Searches and a writer may go on meanwhile.

    Raises:
        CatalogError: it cannot be read now, damaged or not.
    """
    return verify_catalog(catalog) + verify_segment(catalog) + _mark(catalog)


def verify_catalog(catalog: Catalog) -> list[str]:
    """As `verify`, for nothing but the catalogue itself; all else can be made from it again."""
    found: list[str] = []
    for check in (integrity.structure, integrity.rows, integrity.journal, _vectors):
        found += _run(check, catalog, f"{catalog.path}: ")
    return list(dict.fromkeys(found))


def verify_segment(catalog: Catalog) -> list[str]:
    """As `verify`, for nothing but the segment."""
    return list(_run(_segment, catalog, ""))


def verify_uploads(catalog: Catalog) -> list[str]:
    """As `verify`, for nothing but the files of uploaded photos, which no snapshot has."""
    return list(_run(_uploads, catalog, ""))


def _run(check: Check, catalog: Catalog, prefix: str) -> Iterator[str]:
    try:
        with catalog.reader() as reader:
            for finding in check(reader):
                yield prefix + finding
    except (DamagedError, SegmentError) as error:  # they name the file
        yield str(error)


def _mark(catalog: Catalog) -> list[str]:
    if not catalog.high_water_mark.is_damaged():
        return []
    return [f"{catalog.high_water_mark.path}: is damaged; the next change writes it again"]


def _vectors(reader: CatalogReader) -> Iterator[str]:
    for ids, vectors in reader.all_vectors():
        lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
        bad = ids[~(np.abs(lengths - 1) <= _LENGTH_TOLERANCE)]  # so that NaN is bad, too
        if len(bad):
            yield f"vectors whose length is not 1: images {_listed(bad)}"


def _uploads(reader: CatalogReader) -> Iterator[str]:
    folder = folder_of(reader)
    files = {location_of(folder, image): image for image in reader.uploads()}
    for path, image in files.items():
        try:
            with Path(path).open("rb") as file:
                whole = file_digest(file, "sha256").hexdigest() == image.content_hash
        except OSError as error:
            yield f"{path}: cannot be read: {error.strerror}; product {image.product_id!r} has it"
        else:
            if not whole:
                product = f"product {image.product_id!r} has it"
                yield f"{path}: is damaged, its SHA-256 differs; {product}"


def _segment(reader: CatalogReader) -> Iterator[str]:
    segment = current_segment(reader)
    if segment is None:
        return
    index = open_segment(segment)
    with segment.path.open("rb") as file:
        if file_digest(file, "sha256").hexdigest() != segment.sha256:
            yield f"{segment.path}: is damaged, its SHA-256 differs"
    yield from _compared(reader, segment, index)


def _compared(reader: CatalogReader, segment: Segment, index: VectorIndex) -> Iterator[str]:
    """The images of the segment against those of the catalogue as of the segment's `seq`."""
    changes = reader.changes_since(segment.seq)
    expected: list[Ids] = [changes.removed]
    for ids, vectors in reader.all_vectors():
        old = np.isin(ids, changes.added, invert=True)
        expected.append(ids[old])
        both = old & np.isin(ids, index.ids)
        differing = (index.vectors(ids[both]) != vectors[both]).any(axis=1)
        if differing.any():
            images = _listed(ids[both][differing])
            yield f"{segment.path}: has other vectors than the catalogue: images {images}"
    if len(wrong := np.setxor1d(np.concatenate(expected), index.ids)):
        yield f"{segment.path}: has other images than the catalogue: {_listed(wrong)}"


def _listed(ids: Ids) -> str:
    more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
    return ", ".join(map(str, ids[:_SHOWN].tolist())) + more

"""Verifies a catalogue, and that the files made from it agree with it."""

from collections.abc import Callable, Iterator
from hashlib import file_digest
from pathlib import Path

import numpy as np

from indexer.arrays import Ids
from indexer.errors import DamagedError
from indexer.maintenance import attributes, neighbours
from indexer.store.embedded.attributes import AttributesError
from indexer.store.embedded.catalog import Catalog, CatalogReader, integrity
from indexer.store.embedded.catalog.segments import (
    Segment,
    SegmentError,
    current_segment,
    folder_of,
)
from indexer.store.embedded.index import VectorIndex, open_segment
from indexer.store.embedded.neighbours import NeighboursError
from indexer.store.places import location_of

# Rounding to float32 changes a length by about 1e-7.
_LENGTH_TOLERANCE = 1e-5
_SHOWN = 20  # ids of images in one line

Check = Callable[[CatalogReader], Iterator[str]]


def verify(catalog: Catalog) -> list[str]:
    """Verifies everything; returns a line for each problem that names the file.

    Searches and writes may continue meanwhile.

    Raises:
        CatalogError: the catalogue cannot be read at the moment.
    """
    return (
        verify_catalog(catalog)
        + verify_segment(catalog)
        + verify_attributes(catalog)
        + verify_neighbours(catalog)
        + _mark(catalog)
    )


def verify_catalog(catalog: Catalog) -> list[str]:
    """Verifies only the catalogue, from which everything else can be rebuilt; see `verify`."""
    found: list[str] = []
    for check in (integrity.structure, integrity.rows, integrity.journal, _vectors):
        found += _run(check, catalog, f"{catalog.path}: ")
    return list(dict.fromkeys(found))


def verify_segment(catalog: Catalog) -> list[str]:
    """Verifies only the segment; see `verify`."""
    return list(_run(_segment, catalog, ""))


def verify_attributes(catalog: Catalog) -> list[str]:
    """Verifies only the file of attributes; see `verify`."""
    try:
        return list(attributes.problems(catalog))
    except (DamagedError, AttributesError) as error:  # their texts name the file
        return [str(error)]


def verify_neighbours(catalog: Catalog) -> list[str]:
    """Verifies only the table of neighbours; see `verify`."""
    try:
        return list(neighbours.differences(catalog))
    except (DamagedError, NeighboursError) as error:  # their texts name the file
        return [str(error)]


def verify_uploads(catalog: Catalog) -> list[str]:
    """Verifies only the files of uploads; see `verify`."""
    return list(_run(_uploads, catalog, ""))


def _run(check: Check, catalog: Catalog, prefix: str) -> Iterator[str]:
    try:
        with catalog.reader() as reader:
            for finding in check(reader):
                yield prefix + finding
    except (DamagedError, SegmentError) as error:  # their texts name the file
        yield str(error)


def _mark(catalog: Catalog) -> list[str]:
    if not catalog.high_water_mark.is_damaged():
        return []
    return [f"{catalog.high_water_mark.path}: damaged; the next change writes it again"]


def _vectors(reader: CatalogReader) -> Iterator[str]:
    for ids, vectors in reader.all_vectors():
        lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
        bad = ids[~(np.abs(lengths - 1) <= _LENGTH_TOLERANCE)]  # negated to include NaN
        if len(bad):
            yield f"vectors whose length is not 1: images {_listed(bad)}"


def _uploads(reader: CatalogReader) -> Iterator[str]:
    folder = folder_of(reader)
    files = {location_of(folder, image): image for image in reader.uploads()}
    for path, image in files.items():
        try:
            with Path(path).open("rb") as file:
                intact = file_digest(file, "sha256").hexdigest() == image.content_hash
        except OSError as error:
            yield f"{path}: cannot be read: {error.strerror}; photo of {image.product_id!r}"
        else:
            if not intact:
                yield f"{path}: damaged, wrong SHA-256; photo of {image.product_id!r}"


def _segment(reader: CatalogReader) -> Iterator[str]:
    segment = current_segment(reader)
    if segment is None:
        return
    index = open_segment(segment)
    with segment.path.open("rb") as file:
        if file_digest(file, "sha256").hexdigest() != segment.sha256:
            yield f"{segment.path}: damaged, wrong SHA-256"
    yield from _compared(reader, segment, index)


def _compared(reader: CatalogReader, segment: Segment, index: VectorIndex) -> Iterator[str]:
    """Compares the segment with the images of the catalogue as of the segment's `seq`."""
    changes = reader.changes_since(segment.seq)
    expected: list[Ids] = [changes.removed]
    for ids, vectors in reader.all_vectors():
        old = np.isin(ids, changes.added, invert=True)
        expected.append(ids[old])
        both = old & np.isin(ids, index.ids)
        differing = (index.vectors(ids[both]) != vectors[both]).any(axis=1)
        if differing.any():
            images = _listed(ids[both][differing])
            yield f"{segment.path}: vectors differ from the catalogue: images {images}"
    if len(wrong := np.setxor1d(np.concatenate(expected), index.ids)):
        yield f"{segment.path}: images differ from the catalogue: {_listed(wrong)}"


def _listed(ids: Ids) -> str:
    more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
    return ", ".join(map(str, ids[:_SHOWN].tolist())) + more

"""Replaces the segment and the file of attributes of a collection by new ones."""

import logging
from contextlib import suppress

from indexer.config import IndexSettings
from indexer.errors import CatalogError, LockedError
from indexer.maintenance import attributes
from indexer.store.embedded.catalog import Catalog, CatalogReader, CatalogWriter
from indexer.store.embedded.catalog.segments import (
    Segment,
    SegmentError,
    current_segment,
    folder_of,
    images_changed_since,
    record_segment,
)
from indexer.store.embedded.index import FILES, factory, open_segment, write_segment

log = logging.getLogger(__name__)

# A reader loads this number of images from the catalogue in a few hundredths of a second.
_MIN_CHANGES = 1000


def rebuild(catalog: Catalog, settings: IndexSettings) -> Segment:
    """Writes a new segment, and the file of attributes, from the whole catalogue.

    Searches continue meanwhile and switch to the new segment. The previous file is deleted;
    processes that have it open can still use it.

    Raises:
        LockedError: another process is writing.
        SegmentError: there are no embeddings yet, or the file cannot be written.
        CatalogError: a stored vector is damaged.
    """
    with catalog.writer() as writer:
        segment = _replace(catalog, writer, settings)
    attributes.renew(catalog)
    return segment


def compact(catalog: Catalog, settings: IndexSettings) -> Segment:
    """Writes a new segment and file of attributes unless those present are intact and up to date.

    Raises:
        LockedError: another process is writing.
        SegmentError: there are no embeddings yet, or the file cannot be written.
        CatalogError: a stored vector is damaged.
    """
    segment = _compacted(catalog, settings)
    attributes.update(catalog)
    return segment


def _compacted(catalog: Catalog, settings: IndexSettings) -> Segment:
    with catalog.writer() as writer:
        with catalog.reader() as reader:
            present = current_segment(reader)
            kind = _kind(reader, settings)
            if present and present.kind == kind and not _changes(reader, present):
                try:
                    open_segment(present).verify()
                    return present
                except SegmentError as error:
                    log.warning("%s; writing a new one", error)
        return _replace(catalog, writer, settings)


def compact_when_due(catalog: Catalog, settings: IndexSettings) -> Segment | None:
    """Writes a new segment and file of attributes if enough has changed since those present.

    The checks take the same time for any size of catalogue. If a file cannot be written,
    the error is logged, because no change is lost.
    """
    segment = _compacted_when_due(catalog, settings)
    attributes.update_when_due(catalog)
    return segment


def _compacted_when_due(catalog: Catalog, settings: IndexSettings) -> Segment | None:
    with catalog.reader() as reader:
        if not _is_due(reader, settings.compact_fraction):
            return None
    try:
        with catalog.writer() as writer:
            return _replace(catalog, writer, settings)
    except LockedError:
        return None  # the other writer also checks
    except CatalogError as error:
        log.warning("the changes are stored, but compaction failed: %s", error)
        return None


def _is_due(reader: CatalogReader, fraction: float) -> bool:
    present = current_segment(reader)
    _, images = reader.counts()
    least = max(_MIN_CHANGES, fraction * images)
    if present is None:
        return images >= least
    # The length of the journal is known, and is an upper bound of its image rows.
    return reader.seq - present.seq >= least and _changes(reader, present) >= least


def _kind(reader: CatalogReader, settings: IndexSettings) -> str:
    return factory(settings.type, reader.counts()[1], reader.dimension or 0)


def _changes(reader: CatalogReader, segment: Segment) -> int:
    return images_changed_since(reader, segment.seq)


def _replace(catalog: Catalog, writer: CatalogWriter, settings: IndexSettings) -> Segment:
    with catalog.reader() as reader:
        segment = write_segment(reader, _kind(reader, settings))
    record_segment(writer, segment)
    # Only after success: a failed transaction may still turn up in the write-ahead log.
    _collect(catalog)
    return segment


def _collect(catalog: Catalog) -> None:
    """Deletes the files of segments that are no longer current."""
    with catalog.reader() as reader:
        current = current_segment(reader)
        for path in folder_of(reader).glob(FILES):
            if current is None or path != current.path:
                with suppress(OSError):  # the next compaction deletes it
                    path.unlink()

"""Replacing the segment of a collection by one of its catalogue as it is now."""

import logging
from contextlib import suppress

from indexer.config import IndexSettings
from indexer.errors import CatalogError, LockedError
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

# A reader gets so many images from the catalogue in a few hundredths of a second.
_MIN_CHANGES = 1000


def rebuild(catalog: Catalog, settings: IndexSettings) -> Segment:
    """Writes a segment of the embeddings that the catalogue holds, whatever segment there is.

    Searches go on meanwhile and take it up when it is there. The file that it replaces is
    deleted; who has it open keeps it until then.

    Raises:
        LockedError: another process is writing.
        SegmentError: there are no embeddings yet, or the file cannot be written.
        CatalogError: a stored vector is damaged.
    """
    with catalog.writer() as writer:
        return _replace(catalog, writer, settings)


def compact(catalog: Catalog, settings: IndexSettings) -> Segment:
    """As `rebuild`, unless the segment that is there holds the same images in the same way.

    A segment whose file is gone or damaged is written again.

    Raises:
        LockedError, SegmentError, CatalogError: as `rebuild`.
    """
    with catalog.writer() as writer:
        with catalog.reader() as reader:
            present = current_segment(reader)
            kind = factory(settings.type, reader.counts()[1])
            if present and present.kind == kind and not _changes(reader, present):
                try:
                    open_segment(present)
                    return present
                except SegmentError as error:
                    log.warning("%s; it is written again", error)
        return _replace(catalog, writer, settings)


def compact_when_due(catalog: Catalog, settings: IndexSettings) -> Segment | None:
    """As `rebuild`, if enough images have changed since the segment was written.

    To find out takes no longer the larger the catalogue is. If the segment cannot be written
    that is logged, as no change is lost by it.
    """
    with catalog.reader() as reader:
        if not _is_due(reader, settings.compact_fraction):
            return None
    try:
        return rebuild(catalog, settings)
    except LockedError:
        return None  # whoever is writing now finds it due as well
    except CatalogError as error:
        log.warning("the changes are stored, but not compacted: %s", error)
        return None


def _is_due(reader: CatalogReader, fraction: float) -> bool:
    present = current_segment(reader)
    _, images = reader.counts()
    least = max(_MIN_CHANGES, fraction * images)
    if present is None:
        return images >= least
    # The journal is longer than the list of images in it, and its length is known.
    return reader.seq - present.seq >= least and _changes(reader, present) >= least


def _changes(reader: CatalogReader, segment: Segment) -> int:
    return images_changed_since(reader, segment.seq)


def _replace(catalog: Catalog, writer: CatalogWriter, settings: IndexSettings) -> Segment:
    with catalog.reader() as reader:
        segment = write_segment(reader, factory(settings.type, reader.counts()[1]))
    record_segment(writer, segment)
    # Not after a failure: what was reported as one may yet be found in the write-ahead log.
    _collect(catalog)
    return segment


def _collect(catalog: Catalog) -> None:
    """Deletes the files of segments that no one will open any more."""
    with catalog.reader() as reader:
        current = current_segment(reader)
        for path in folder_of(reader).glob(FILES):
            if current is None or path != current.path:
                with suppress(OSError):  # then the next one deletes it
                    path.unlink()

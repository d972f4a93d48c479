"""Replacing the segment of a collection by one of its catalogue as it is now."""

import logging
from contextlib import suppress

from indexer.config import IndexSettings
from indexer.errors import CatalogError, LockedError
from indexer.store.embedded.catalog import Catalog, CatalogSnapshot, CatalogWriter
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
        with catalog.snapshot() as snapshot:
            present = current_segment(snapshot)
            kind = factory(settings.type, snapshot.counts()[1])
            if present and present.kind == kind and not _changes(snapshot, present):
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
    with catalog.snapshot() as snapshot:
        if not _is_due(snapshot, settings.compact_fraction):
            return None
    try:
        return rebuild(catalog, settings)
    except LockedError:
        return None  # whoever is writing now finds it due as well
    except CatalogError as error:
        log.warning("the changes are stored, but not compacted: %s", error)
        return None


def _is_due(snapshot: CatalogSnapshot, fraction: float) -> bool:
    present = current_segment(snapshot)
    _, images = snapshot.counts()
    least = max(_MIN_CHANGES, fraction * images)
    if present is None:
        return images >= least
    # The journal is longer than the list of images in it, and its length is known.
    return snapshot.seq - present.seq >= least and _changes(snapshot, present) >= least


def _changes(snapshot: CatalogSnapshot, segment: Segment) -> int:
    return images_changed_since(snapshot, segment.seq)


def _replace(catalog: Catalog, writer: CatalogWriter, settings: IndexSettings) -> Segment:
    with catalog.snapshot() as snapshot:
        segment = write_segment(snapshot, factory(settings.type, snapshot.counts()[1]))
    record_segment(writer, segment)
    # Not after a failure: what was reported as one may yet be found in the write-ahead log.
    _collect(catalog)
    return segment


def _collect(catalog: Catalog) -> None:
    """Deletes the files of segments that no one will open any more."""
    with catalog.snapshot() as snapshot:
        current = current_segment(snapshot)
        for path in folder_of(snapshot).glob(FILES):
            if current is None or path != current.path:
                with suppress(OSError):  # then the next one deletes it
                    path.unlink()

"""Keeps the view of a catalogue up to date while other processes write to it."""

import logging
import threading
from dataclasses import replace

from indexer.store.embedded.catalog import CatalogReader
from indexer.store.embedded.catalog.segments import Segment, SegmentError, current_segment
from indexer.store.embedded.index.segment import open_segment
from indexer.store.embedded.index.view import View

log = logging.getLogger(__name__)

_DAMAGED = "%s; searching without it; run `rebuild` if this persists"


class LiveView:
    """The latest view of one catalogue. Reading it takes no lock; advancing it does."""

    def __init__(self) -> None:
        self._view = View()
        self._advancing = threading.Lock()
        self._newest: View | None = None  # of the segment opened last, without later changes
        self._opening = threading.Lock()
        self._tried: Segment | None = None  # the last one, whether it could be opened or not

    @property
    def current(self) -> View:
        """The latest view."""
        return self._view

    def at(self, reader: CatalogReader) -> View | None:
        """Returns the view of the reader's version, at a cost proportional to the changes.

        Returns None if the view is newer than the reader or its segment was deleted; open a new
        reader then.

        Raises:
            CatalogError: a stored vector is damaged.
        """
        version = reader.generation, reader.seq
        if self._is_behind(version):
            with self._advancing:
                if self._is_behind(version):
                    self._view = self._advanced(reader, version)
        view = self._view
        return view if view.version == version else None

    def refresh(self, reader: CatalogReader) -> None:
        """Loads the latest segment and changes; searches use the previous view meanwhile.

        Raises:
            CatalogError: a stored vector is damaged.
        """
        self._open(reader)
        self.at(reader)

    def discard(self, error: SegmentError) -> None:
        """Stops using the segment, which a search found damaged."""
        log.error(_DAMAGED, error)
        with self._advancing:
            self._view, self._newest = View(), None

    def _is_behind(self, version: tuple[int, int]) -> bool:
        view = self._view.version
        return view < version or (view == version and self._base_for(version) is not None)

    def _base_for(self, version: tuple[int, int]) -> View | None:
        """Returns the segment opened last if it is not in use yet and fits this version."""
        newest = self._newest
        if newest is None or newest.base is self._view.base:
            return None
        usable = newest.generation == version[0] and newest.seq <= version[1]
        return newest if usable else None

    def _advanced(self, reader: CatalogReader, version: tuple[int, int]) -> View:
        view = self._view
        if view.generation != version[0] or view.seq == 0:
            if not self._open(reader):
                return view
            view = View(version[0])
        if base := self._base_for(version):
            view = base
        if view.seq == 0:  # the journal may not reach back to the beginning
            for ids, vectors in reader.all_vectors():
                view = view.advanced(0, ids, vectors)
            return replace(view, seq=reader.seq)
        changes = reader.changes_since(view.seq)
        ids, vectors = reader.vectors(changes.added)
        return view.advanced(reader.seq, ids, vectors, changes.removed)

    def _open(self, reader: CatalogReader) -> bool:
        """Opens the reader's segment unless tried before; returns False if it is damaged."""
        with self._opening:
            segment = current_segment(reader)
            if segment is None or segment == self._tried:
                return True
            self._tried = segment
            try:
                index = open_segment(segment)
            except SegmentError as error:
                log.error(_DAMAGED, error)
                return False
            self._newest = View(segment.generation, segment.seq, index)
            return True

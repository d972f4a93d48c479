"""Keeping a view in step with a catalogue that others write to."""

import logging
import threading
from dataclasses import replace

from indexer.store.embedded.catalog import CatalogReader
from indexer.store.embedded.catalog.segments import Segment, SegmentError, current_segment
from indexer.store.embedded.index.segment import open_segment
from indexer.store.embedded.index.view import View

log = logging.getLogger(__name__)


class LiveView:
    """The newest view of one catalogue; reading it takes no lock, advancing it does."""

    def __init__(self) -> None:
        self._view = View()
        self._advancing = threading.Lock()
        self._newest: View | None = None  # nothing but the segment that was opened last
        self._opening = threading.Lock()
        self._tried: Segment | None = None  # what was opened last, well or not

    @property
    def current(self) -> View:
        return self._view

    def at(self, reader: CatalogReader) -> View | None:
        """The view of exactly this reader, at a cost that goes with what changed since.

        None if the view is past the reader, or its segment is gone: open a new one.

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
        """Takes up the newest segment and changes, while searches go on with what is there.

        Raises:
            CatalogError: a stored vector is damaged.
        """
        self._open(reader)
        self.at(reader)

    def _is_behind(self, version: tuple[int, int]) -> bool:
        view = self._view.version
        return view < version or (view == version and self._base_for(version) is not None)

    def _base_for(self, version: tuple[int, int]) -> View | None:
        """The segment that was opened and not yet taken up, if it is of use for this version."""
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
        if view.seq == 0:  # the journal may not reach back to the beginning, the embeddings do
            for ids, vectors in reader.all_vectors():
                view = view.advanced(0, ids, vectors)
            return replace(view, seq=reader.seq)
        changes = reader.changes_since(view.seq)
        ids, vectors = reader.vectors(changes.added)
        return view.advanced(reader.seq, ids, vectors, changes.removed)

    def _open(self, reader: CatalogReader) -> bool:
        """Opens the reader's segment, unless that was tried. False if it is found bad now."""
        with self._opening:
            segment = current_segment(reader)
            if segment is None or segment == self._tried:
                return True
            self._tried = segment
            try:
                index = open_segment(segment)
            except SegmentError as error:
                log.error("%s; searching without it: run `rebuild` if this goes on", error)
                return False
            self._newest = View(segment.generation, segment.seq, index)
            return True

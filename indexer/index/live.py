"""Keeping a view in step with a catalogue that others write to."""

import threading
from dataclasses import replace

from indexer.catalog import CatalogSnapshot
from indexer.index.view import View


class LiveView:
    """The newest view of one catalogue; reading it takes no lock, advancing it does."""

    def __init__(self) -> None:
        self._view = View(seq=0)
        self._advancing = threading.Lock()

    @property
    def current(self) -> View:
        return self._view

    def at(self, snapshot: CatalogSnapshot) -> View | None:
        """The view of exactly this snapshot, at a cost that goes with what changed since.

        None if the view is past the snapshot already: take a new snapshot.

        Raises:
            CatalogError: a stored vector is damaged.
        """
        if self._view.seq < snapshot.seq:
            with self._advancing:
                if self._view.seq < snapshot.seq:
                    self._view = _advance(self._view, snapshot)
        view = self._view
        return view if view.seq == snapshot.seq else None


def _advance(view: View, snapshot: CatalogSnapshot) -> View:
    if view.seq == 0:  # the journal may not reach back to the beginning, the embeddings do
        for ids, vectors in snapshot.all_vectors():
            view = view.advanced(0, ids, vectors)
        return replace(view, seq=snapshot.seq)
    changes = snapshot.changes_since(view.seq)
    ids, vectors = snapshot.vectors(changes.added)
    return view.advanced(snapshot.seq, ids, vectors, changes.removed)

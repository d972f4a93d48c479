"""Keeps the neighbours of a catalogue up to date in memory while other processes write."""

import logging
import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from indexer.arrays import Ids, Scores
from indexer.store.embedded.catalog import CatalogReader
from indexer.store.embedded.index import View
from indexer.store.embedded.mapped_arrays import FileId, identity_of
from indexer.store.embedded.neighbours.changes import Changed, is_usable
from indexer.store.embedded.neighbours.merging import entries_of, merged
from indexer.store.embedded.neighbours.table import NeighboursError, Table, open_table, table_path
from indexer.store.selection import Candidates

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Neighbours:
    """A table and the changes since, as of one version of the catalogue.

    Args:
        table: of this version or an earlier one.
        changed: since the table.
        version: generation and `seq`.
    """

    table: Table
    changed: Changed
    version: tuple[int, int]

    @classmethod
    def at(cls, reader: CatalogReader, table: Table) -> "Neighbours | None":
        """Returns the neighbours as of a reader; None if the table is too old for it.

        Raises:
            CatalogError: the data is damaged.
        """
        if not is_usable(reader, table.origin):
            return None
        changed = Changed.since(reader, table.origin.seq)
        return cls(table, changed, (reader.generation, reader.seq))

    def advanced(self, reader: CatalogReader) -> "Neighbours | None":
        """Returns the neighbours as of a later version; None if the table is too old for it.

        The cost is proportional to the changes.
        """
        if not is_usable(reader, self.table.origin):
            return None
        (generation, seq), changed = self.version, self.changed
        if product_ids := reader.changes_since(seq).product_ids:
            changed = changed.updated(reader, product_ids)
        return replace(self, changed=changed, version=(generation, reader.seq))

    def of(self, view: View, product_ids: Iterable[str], k: int) -> dict[str, Candidates]:
        """Returns the first k entries of the lists of products, without those that have changed.

        Args:
            view: of the same version.
            product_ids: some may not exist.
            k: maximum length of a list.
        """
        found = {}
        for product_id in product_ids:
            number = self.table.photos.number_of(product_id)
            if number is not None and product_id not in self.changed.product_ids:
                found[product_id] = self._list(view, number, k)
        return found

    def _list(self, view: View, number: int, k: int) -> Candidates:
        if self.changed.product_ids:
            return self._merged(view, number, k)
        photos, places = self.table.photos, self.table.places_of(number)[:k]
        return self._candidates(
            photos.product_ids[photos.owners[places]].tolist(),
            photos.ids[places],
            self.table.scores[number, : len(places)],
        )

    def _merged(self, view: View, number: int, k: int) -> Candidates:
        photos, entries = self.table.photos, entries_of(self.table, number)
        complete = len(entries) == len(photos)
        floor = -np.inf if complete else -entries[-1].negated_score
        queries = view.vectors(photos.ids[photos.of_product(number)])
        new = self.changed.entries(queries, floor)
        found = merged(entries, self.changed.product_ids, new, complete=complete)[:k]
        return self._candidates(
            [entry.product_id for entry in found],
            np.array([entry.image_id for entry in found], np.int64),
            np.array([-entry.negated_score for entry in found]),
        )

    def _candidates(self, product_ids: list[str], image_ids: Ids, scores: Scores) -> Candidates:
        complete = len(product_ids) == self._products
        unseen = -np.inf if complete else float(scores[-1]) if len(scores) else np.inf
        return Candidates(product_ids, image_ids, scores, unseen)

    @cached_property
    def _products(self) -> int:
        """The number of products that have images."""
        photos, changed = self.table.photos, self.changed
        gone = sum(photos.number_of(each) is not None for each in changed.product_ids)
        return len(photos) - gone + len(set(changed.owners))


@dataclass(frozen=True)
class _State:
    """What is in memory.

    Args:
        file: identity of the file opened last; None if there was none.
        table: of that file; None if it is damaged or too old for the catalogue.
        neighbours: of the latest version they were read at.
    """

    file: FileId | None = None
    table: Table | None = None
    neighbours: Neighbours | None = None


class LiveNeighbours:
    """The neighbours of one catalogue. No search waits for another that advances them.

    Args:
        folder: of the catalogue.
    """

    def __init__(self, folder: Path) -> None:
        self._path = table_path(folder)
        self._advancing = threading.Lock()
        self._state = _State()

    @property
    def in_use(self) -> bool | None:
        """Whether the table was used for the version read last; None if there is none."""
        state = self._state
        return None if state.file is None else state.neighbours is not None

    def at(self, reader: CatalogReader) -> Neighbours | None:
        """Returns the neighbours of the reader's version.

        Returns None if no table can be used for it, or while another thread opens a new one.

        Raises:
            CatalogError: the catalogue is damaged.
        """
        file, version = identity_of(self._path), (reader.generation, reader.seq)
        if self._is_behind(file, version) and self._advancing.acquire(blocking=False):
            try:
                if self._is_behind(file, version):
                    self._state = self._advanced(file, reader)
            finally:
                self._advancing.release()
        found = self._state.neighbours
        return found if found is not None and found.version == version else None

    def _is_behind(self, file: FileId | None, version: tuple[int, int]) -> bool:
        state = self._state
        if state.file != file:
            return True
        found = state.neighbours
        return state.table is not None and (found is None or found.version < version)

    def _advanced(self, file: FileId | None, reader: CatalogReader) -> _State:
        state = self._state
        if state.file != file:
            state = _State(file, file and self._opened())
        if state.table is None or state.table.origin.seq > reader.seq:
            return state
        found = state.neighbours
        found = Neighbours.at(reader, state.table) if found is None else found.advanced(reader)
        return replace(state, neighbours=found) if found else _State(file)

    def _opened(self) -> Table | None:
        try:
            return open_table(self._path)
        except FileNotFoundError:
            return None
        except NeighboursError as error:
            log.error("%s; searching without it", error)
            return None

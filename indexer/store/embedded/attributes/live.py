"""Keeps the table of a catalogue up to date while other processes write to it."""

import threading

from indexer.store.embedded.attributes.table import Table
from indexer.store.embedded.catalog import CatalogReader
from indexer.store.embedded.catalog.attributes import products_changed_since


class LiveTable:
    """The latest table of one catalogue. Reading it takes no lock; advancing it does."""

    def __init__(self) -> None:
        self._table: Table | None = None
        self._advancing = threading.Lock()

    @property
    def is_loaded(self) -> bool:
        """Whether the attributes have been read."""
        return self._table is not None

    def at(self, reader: CatalogReader) -> Table | None:
        """Returns the table of the reader's version, at a cost proportional to the changes.

        The first call reads all products. Returns None if the table is newer than the reader;
        open a new reader then.

        Raises:
            CatalogError: the data is damaged.
        """
        if self._is_behind(reader):
            with self._advancing:
                if self._is_behind(reader):
                    self._table = _advanced(self._table, reader)
        table = self._table
        return table if table is not None and table.seq == reader.seq else None

    def _is_behind(self, reader: CatalogReader) -> bool:
        return self._table is None or self._table.seq < reader.seq


def _advanced(table: Table | None, reader: CatalogReader) -> Table:
    changed = None if table is None else products_changed_since(reader, table.seq)
    if table is None or changed is None:
        return Table.of(reader)
    found = reader.products(changed)
    return table.advanced(reader.seq, sorted(changed), list(found.values()))

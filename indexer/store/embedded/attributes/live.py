"""Keeps the table of a catalogue up to date while other processes write to it."""

import threading
from dataclasses import replace

from indexer.arrays import batched
from indexer.store.embedded.attributes.file import stored_table, table_path
from indexer.store.embedded.attributes.table import Table
from indexer.store.embedded.catalog import CatalogReader
from indexer.store.embedded.catalog.attributes import products_changed_since
from indexer.store.embedded.catalog.segments import folder_of
from indexer.store.embedded.mapped_arrays import FileId, identity_of

# Reading a changed product takes as long as reading this number of products one after the other.
_COST_OF_CHANGE = 6
_FEW_CHANGES = 1000  # read in less than a tenth of a second
_BATCH = 20_000


class LiveTable:
    """The latest table of one catalogue. Reading it takes no lock; advancing it does."""

    def __init__(self) -> None:
        self._table: Table | None = None
        self._advancing = threading.Lock()
        self._file: FileId | None = None  # opened last
        self._stored: Table | None = None  # of that file, until the next change

    @property
    def is_loaded(self) -> bool:
        """Whether the attributes have been read."""
        return self._table is not None

    def at(self, reader: CatalogReader) -> Table | None:
        """Returns the table of the reader's version, at a cost proportional to the changes.

        The first call opens the file, or reads all products if there is none. Returns None if the
        table is newer than the reader; open a new reader then.

        Raises:
            CatalogError: the data is damaged.
        """
        if self._is_behind(reader):
            with self._advancing:
                if self._is_behind(reader):
                    if self._table is None:
                        self._open(reader)
                    self._table = advanced(self._base(reader), reader)
        table = self._table
        return table if table is not None and table.seq == reader.seq else None

    def refresh(self, reader: CatalogReader) -> None:
        """Brings the table up to date, and opens the file if there is a new one.

        The new file is used from the next change on, because what searches remember refers to the
        rows of the present table. Its pages replace memory of this process.

        Raises:
            CatalogError: the data is damaged.
        """
        if self.is_loaded and identity_of(table_path(folder_of(reader))) != self._file:
            self._open(reader)
        self.at(reader)

    def _is_behind(self, reader: CatalogReader) -> bool:
        return self._table is None or self._table.seq < reader.seq

    def _open(self, reader: CatalogReader) -> None:
        self._file = identity_of(table_path(folder_of(reader)))
        self._stored = stored_table(reader)

    def _base(self, reader: CatalogReader) -> Table | None:
        """Returns the table to advance: that of a new file, once."""
        stored = self._stored
        if stored is None or stored.seq > reader.seq:
            return self._table
        self._stored = None
        return stored


def advanced(table: Table | None, reader: CatalogReader) -> Table:
    """Returns the table of the reader's version.

    Reads the changed products, or all if that is faster or the journal has a gap.

    Args:
        table: of an earlier version of the same catalogue, or None.
        reader: of the catalogue.

    Raises:
        CatalogError: the data is damaged.
    """
    changed = None if table is None else _changed_since(table, reader)
    if table is None or changed is None:
        return Table.of(reader)
    table = replace(table, seq=reader.seq)
    for batch in batched(sorted(changed), _BATCH):  # in bounded memory
        table = table.advanced(reader.seq, batch, list(reader.products(batch).values()))
    return table


def _changed_since(table: Table, reader: CatalogReader) -> set[str] | None:
    """Returns the products that have changed; None if reading all products is faster."""
    products, _ = reader.counts()
    if reader.seq - table.seq > max(_FEW_CHANGES, products):
        return None
    changed = products_changed_since(reader, table.seq)
    if changed is None or len(changed) > max(_FEW_CHANGES, products / _COST_OF_CHANGE):
        return None
    return changed

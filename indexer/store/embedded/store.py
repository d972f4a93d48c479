"""A collection on the local disk: SQLite, a FAISS index, columns, a table of neighbours."""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from indexer.arrays import Ids, Vectors
from indexer.store.conditions import Condition
from indexer.store.embedded.attributes import LiveTable, Table
from indexer.store.embedded.catalog import Catalog, CatalogReader, CatalogWriter
from indexer.store.embedded.catalog.segments import SegmentError
from indexer.store.embedded.index import LiveView, View
from indexer.store.embedded.neighbours import LiveNeighbours
from indexer.store.embedded.selection import Rows, WholeCollection
from indexer.store.selection import Candidates


class EmbeddedStore:
    """One collection on the local disk. Thread-safe.

    Args:
        catalog: the source of truth.
    """

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._view = LiveView()
        self._table = LiveTable()
        self._neighbours = LiveNeighbours(catalog.folder)

    @property
    def folder(self) -> Path:
        return self.catalog.folder

    @property
    def seq(self) -> int:
        return self._view.current.seq

    @property
    def damage(self) -> str:
        return self.catalog.damage

    def index_sizes(self) -> dict[str, int]:
        return self._view.current.sizes()

    @property
    def neighbours_in_use(self) -> bool | None:
        return self._neighbours.in_use

    def reader(self) -> AbstractContextManager[CatalogReader]:
        return self.catalog.reader()

    @contextmanager
    def search_reader(self, *, attributes: bool) -> Iterator["EmbeddedSearchReader"]:
        """Opens a reader with the view and the table of the same `seq`.

        Raises:
            CatalogError: the data is damaged. If it is the segment, the next reader does without.
        """
        # Attributes are loaded on first use, so that commands without filters start fast.
        attributes = attributes or self._table.is_loaded
        while True:
            with self.catalog.reader() as reader:
                view = self._view.at(reader)
                table = self._table.at(reader) if attributes else None
                if view is not None and (table is not None or not attributes):
                    try:
                        yield EmbeddedSearchReader(reader, view, table, self._neighbours)
                    except SegmentError as error:
                        self._view.discard(error)
                        raise
                    return

    def writer(self) -> AbstractContextManager[CatalogWriter]:
        return self.catalog.writer()

    def refresh(self) -> None:
        with self.catalog.reader() as reader:
            self._view.refresh(reader)
            self._table.refresh(reader)
            self._neighbours.at(reader)

    def sample(self, size: int) -> Vectors:
        with self.catalog.reader() as reader:
            return (self._view.at(reader) or self._view.current).sample(size)

    def close(self) -> None:
        self.catalog.close()


@dataclass(frozen=True)
class EmbeddedSearchReader:
    """A reader of the catalogue with the view and the table of the same `seq`.

    Args:
        reader: of the catalogue.
        view: of the images.
        table: of the attributes; None if the reader was opened without them.
        live_neighbours: of the same catalogue.
    """

    reader: CatalogReader
    view: View
    table: Table | None
    live_neighbours: LiveNeighbours

    def select(
        self, conditions: Sequence[Condition] = (), excluded: Iterable[str] = ()
    ) -> WholeCollection | Rows:
        hidden = frozenset(excluded)
        if not conditions:
            products = self.reader.counts()[0] if self.table is None else len(self.table)
            return WholeCollection(self.view, self._owners, products, hidden, self.table)
        return Rows.matching(self.view, self._table, self._owners, conditions, hidden)

    def neighbours(self, product_ids: Sequence[str], k: int) -> Mapping[str, Candidates]:
        found = self.live_neighbours.at(self.reader)
        return {} if found is None else found.of(self.view, product_ids, k)

    def has_attribute(self, name: str) -> bool:
        return self._table.has(name)

    def first_values(self, name: str, product_ids: Sequence[str]) -> list[Hashable | None]:
        return self._table.first_values(name, product_ids)

    def image_vectors(self, image_ids: Ids) -> Vectors:
        return self.view.vectors(image_ids)

    @property
    def _table(self) -> Table:
        if self.table is None:
            raise ValueError("this reader was opened without attributes")
        return self.table

    def _owners(self, image_ids: Ids) -> Sequence[str]:
        if self.table is not None:
            return self.table.products_of(self.reader, image_ids)
        owners = self.reader.products_of(image_ids)
        return [owners[image_id] for image_id in image_ids.tolist()]

"""A collection in Milvus."""

import threading
import time
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from indexer.arrays import Ids, Vectors
from indexer.config.milvus import MilvusSettings
from indexer.errors import CatalogMissingError, LockedError
from indexer.store.conditions import Condition
from indexer.store.milvus import rows
from indexer.store.milvus.connection import Connection
from indexer.store.milvus.expressions import KEYS
from indexer.store.milvus.lease import Lease
from indexer.store.milvus.reader import MilvusReader
from indexer.store.milvus.selection import MilvusSelection, first_values
from indexer.store.milvus.state import State, StateTable
from indexer.store.milvus.writer import MilvusWriter
from indexer.store.selection import Candidates

# The state is read again when it is older. With the reading, which waits for about 0.2 s, a change
# is visible to other processes within a second.
_FRESH_S = 0.4


class MilvusStore:
    """One collection in Milvus. Thread-safe; keeps no data of its own.

    Args:
        settings: of the server.
        collection: name of the collection.
        folder: of uploaded photos.
        create: create the collection if it does not exist.
        wait_s: seconds that `writer` waits for another process.

    Raises:
        CatalogMissingError: the collection does not exist and `create` is False.
        StoreUnavailableError: Milvus does not answer.
    """

    damage = ""
    neighbours_in_use = None

    def __init__(
        self,
        settings: MilvusSettings,
        collection: str,
        folder: Path,
        *,
        create: bool = False,
        wait_s: float = 0,
    ) -> None:
        self.folder = folder
        self._wait_s = wait_s
        self._lease_s = settings.lease_s
        self.connection = Connection(settings)
        # Names of collections have no capitals, so that different ones remain different.
        self.states = StateTable(
            self.connection, f"{settings.prefix}_{collection.replace('-', 'H')}"
        )
        if not self.states.exists():
            if not create:
                self.close()
                raise CatalogMissingError(
                    f"no collection {collection!r} in Milvus at {settings.uri} (milvus.prefix"
                    f" {settings.prefix}); add products first, or correct milvus.uri"
                )
            self.states.create()
        self._state = State()
        self._read_at = float("-inf")
        self._loaded = ""  # the table that was loaded into memory
        self._reading = threading.Lock()
        self._adopting = threading.Lock()
        self._writing = threading.Lock()
        self.states.load()
        self.refresh()

    @property
    def seq(self) -> int:
        return self._state.seq

    def index_sizes(self) -> dict[str, int]:
        return {"milvus": self._state.images}

    @contextmanager
    def reader(self) -> Iterator[MilvusReader]:
        """Opens a reader of a version that is at most half a second old."""
        yield self._reader()

    @contextmanager
    def search_reader(self, *, attributes: bool) -> Iterator["MilvusSearchReader"]:  # noqa: ARG002
        yield MilvusSearchReader(self._reader())

    @contextmanager
    def writer(self) -> Iterator[MilvusWriter]:
        """Opens the writer.

        Raises:
            LockedError: another process is writing, on any machine.
            StoreUnavailableError: Milvus does not answer.
        """
        if not self._writing.acquire(timeout=self._wait_s):
            raise LockedError(self.states.name, None)
        try:
            lease = Lease(self.states, self._lease_s, "write")
            found = lease.acquire(self._wait_s)
            self._adopt(found.state)
            writer = MilvusWriter(
                self.connection, self.states, lease, found, self.folder, self._adopt
            )
            try:
                if found.claims:  # of writers that died
                    writer.repair()
                    self.states.delete([claim.row_id for claim in found.claims])
                yield writer
            finally:
                lease.release(clean=writer.is_clean)
        finally:
            self._writing.release()

    @contextmanager
    def lease(self, purpose: str) -> Iterator[None]:
        """Holds a lease other than the writer's; raises as `writer` does."""
        lease = Lease(self.states, self._lease_s, purpose)
        found = lease.acquire()
        try:
            self.states.delete([claim.row_id for claim in found.claims])
            yield
        finally:
            lease.release(clean=True)

    def refresh(self) -> None:
        with self._reading:
            self._adopt(self.states.read().state)

    def sample(self, size: int) -> Vectors:
        reader = self._reader()
        share = size / max(1, reader.state.images)
        part = f"product_key < {int(share * KEYS)}" if share < 1 else ""
        return reader.vectors_where(part)

    def close(self) -> None:
        self.connection.close()

    def latest(self) -> State:
        """Returns the newest state."""
        self.refresh()
        return self._state

    def reader_of(self, state: State) -> MilvusReader:
        """Returns a reader of a version."""
        return MilvusReader(self.connection, state, self.latest)

    def drop_tables_except(self, table: str) -> None:
        """Deletes the Milvus collections of rows of this collection, except one."""
        for each in self.connection.tables():
            if rows.is_table_of(self.states.name, each) and each != table:
                self.connection.drop_table(each)

    def _reader(self) -> MilvusReader:
        if time.monotonic() - self._read_at > _FRESH_S:
            with self._reading:
                if time.monotonic() - self._read_at > _FRESH_S:
                    self._adopt(self.states.read().state)
        return self.reader_of(self._state)

    def _adopt(self, state: State) -> None:
        """Uses a state for the next readers unless a newer one is known."""
        if state.table and state.table != self._loaded:
            self.connection.load(state.table)
            self._loaded = state.table
        with self._adopting:
            if state.seq >= self._state.seq:
                self._state, self._read_at = state, time.monotonic()


@dataclass(frozen=True)
class MilvusSearchReader:
    """Ranks the products of one version."""

    reader: MilvusReader

    def select(
        self, conditions: Sequence[Condition] = (), excluded: Iterable[str] = ()
    ) -> MilvusSelection:
        return MilvusSelection.meeting(self.reader, conditions, excluded)

    def neighbours(self, product_ids: Sequence[str], k: int) -> Mapping[str, Candidates]:  # noqa: ARG002
        return {}

    def has_attribute(self, name: str) -> bool:
        return name in self.reader.state.names

    def first_values(self, name: str, product_ids: Sequence[str]) -> list[Hashable | None]:
        return first_values(self.reader, name, product_ids)

    def image_vectors(self, image_ids: Ids) -> Vectors:
        ids, vectors = self.reader.vectors(image_ids)
        return vectors[ids.searchsorted(image_ids)]

"""Replaces the Milvus collection of the rows while searches and writers go on.

The rows are copied into a new Milvus collection without holding the lease; then, holding it, those
that were changed meanwhile. The commit that names the new collection switches all processes at
once, so a version of the collection and the place of its rows never differ, as an alias of Milvus
would let them.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from indexer.arrays import batched
from indexer.errors import StorageError
from indexer.store.milvus import rows as table_rows
from indexer.store.milvus.connection import Connection, Row
from indexer.store.milvus.expressions import all_of, slices
from indexer.store.milvus.rows import ALL_FIELDS, FOREVER
from indexer.store.milvus.state import State
from indexer.store.milvus.store import MilvusStore

# Searches that began before the switch read the old collection until they end.
_GRACE_S = 3.0
_ROWS_PER_CALL = 256


def rebuild(store: MilvusStore, progress: Callable[[int], None] = lambda _: None) -> State:
    """Copies the rows into a new Milvus collection with the index of the settings.

    Args:
        store: of the collection.
        progress: called with the number of rows copied since the last call.

    Returns:
        The state with the new collection.

    Raises:
        LockedError: another process is rebuilding, or is writing at the last step.
        CatalogError: Milvus does not answer, or refuses.
    """
    with store.lease("rebuild"):
        before = store.latest()
        if not before.table:
            return before
        table = table_rows.create(store.connection, store.states.name, before.dimension or 0)
        try:
            _copy(store, before, table, progress)
            state = _switch(store, before, table)
        except BaseException:
            store.connection.drop_table(table)
            raise
        time.sleep(_GRACE_S)
        store.drop_tables_except(state.table)
        return state


def _copy(store: MilvusStore, state: State, table: str, progress: Callable[[int], None]) -> None:
    """Copies the rows that are visible in a version."""
    visible = store.reader_of(state).visible
    for part in slices(-(-state.images // _ROWS_PER_CALL)):
        # Rows that are deleted meanwhile are not needed.
        rows = store.connection.query(state.table, visible(part), ALL_FIELDS, at=state.written)
        _upsert(store.connection, table, rows)
        progress(len(rows))


def _switch(store: MilvusStore, before: State, table: str) -> State:
    """Copies what was changed after a version, and makes the copy the collection's rows."""
    with store.writer() as writer:
        old, seq = writer.state.table, before.seq
        if old != before.table:
            raise StorageError("the collection was replaced meanwhile; try again")
        changed = f"(added > {seq} or (gone > {seq} and gone < {FOREVER}))"
        written = writer.state.written
        for part in slices(-(-writer.state.images // _ROWS_PER_CALL)):
            rows = store.connection.query(old, all_of([changed, part]), ALL_FIELDS, at=None)
            written = max(written, _upsert(store.connection, table, rows))
            if writer.state.vacuumed > seq:
                _delete_vacuumed(store.connection, old, table, part)
        writer.commit(replace(writer.state, table=table, written=written))
        return writer.state


def _delete_vacuumed(connection: Connection, old: str, new: str, part: str) -> None:
    """Deletes the rows from the copy that were deleted since they were copied."""
    kept, copied = (
        {row["row_id"] for row in connection.query(table, part, ("row_id",), at=None)}
        for table in (old, new)
    )
    if surplus := sorted(copied - kept):
        connection.delete(new, surplus)


def _upsert(connection: Connection, table: str, rows: Iterable[Row]) -> int:
    written = 0
    for batch in batched(map(table_rows.rewritten, rows), _ROWS_PER_CALL):
        written = connection.upsert(table, batch)
    return written

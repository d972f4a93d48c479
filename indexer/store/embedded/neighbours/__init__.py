"""The precomputed neighbours of every product: the table on disk, its building and its use."""

from indexer.store.embedded.neighbours.building import Collection, Progress, built, updated
from indexer.store.embedded.neighbours.changes import Changed, continues
from indexer.store.embedded.neighbours.exact import exact_lists
from indexer.store.embedded.neighbours.live import MAX_CHANGES, LiveNeighbours
from indexer.store.embedded.neighbours.table import (
    NeighboursError,
    Origin,
    Photos,
    Table,
    open_table,
    read_header,
    table_path,
    write_table,
)

__all__ = [
    "MAX_CHANGES",
    "Changed",
    "Collection",
    "LiveNeighbours",
    "NeighboursError",
    "Origin",
    "Photos",
    "Progress",
    "Table",
    "built",
    "continues",
    "exact_lists",
    "open_table",
    "read_header",
    "table_path",
    "updated",
    "write_table",
]

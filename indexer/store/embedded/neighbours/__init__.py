"""The precomputed neighbours of every product: the table on disk, its building and its use."""

from indexer.store.embedded.neighbours.building import Collection, Progress, built, updated
from indexer.store.embedded.neighbours.changes import continues, is_usable
from indexer.store.embedded.neighbours.exact import exact_lists
from indexer.store.embedded.neighbours.live import LiveNeighbours
from indexer.store.embedded.neighbours.table import (
    CatalogImages,
    NeighboursError,
    Origin,
    Table,
    open_table,
    read_header,
    table_path,
    write_table,
)

__all__ = [
    "CatalogImages",
    "Collection",
    "LiveNeighbours",
    "NeighboursError",
    "Origin",
    "Progress",
    "Table",
    "built",
    "continues",
    "exact_lists",
    "is_usable",
    "open_table",
    "read_header",
    "table_path",
    "updated",
    "write_table",
]

"""Columns of product attributes in memory and in a file, for filters, facets and grouping."""

from indexer.store.embedded.attributes.comparison import differences
from indexer.store.embedded.attributes.file import (
    AttributesError,
    Origin,
    open_table,
    read_origin,
    stored_table,
    table_path,
    write_table,
)
from indexer.store.embedded.attributes.live import LiveTable, advanced
from indexer.store.embedded.attributes.table import Table

__all__ = [
    "AttributesError",
    "LiveTable",
    "Origin",
    "Table",
    "advanced",
    "differences",
    "open_table",
    "read_origin",
    "stored_table",
    "table_path",
    "write_table",
]

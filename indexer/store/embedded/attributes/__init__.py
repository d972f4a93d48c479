"""The attributes of a collection's products in memory, in columns: for filters and counts."""

from indexer.store.embedded.attributes.live import LiveTable
from indexer.store.embedded.attributes.table import Table

__all__ = ["LiveTable", "Table"]

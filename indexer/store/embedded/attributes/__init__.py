"""In-memory columns of product attributes, for filters, facets and grouping."""

from indexer.store.embedded.attributes.live import LiveTable
from indexer.store.embedded.attributes.table import Table

__all__ = ["LiveTable", "Table"]

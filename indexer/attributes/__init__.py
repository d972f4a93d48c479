"""The attributes of a collection's products in memory, in columns: for filters and counts."""

from indexer.attributes.filters import Clause, parse
from indexer.attributes.live import LiveTable
from indexer.attributes.table import FacetCount, Table

__all__ = ["Clause", "FacetCount", "LiveTable", "Table", "parse"]

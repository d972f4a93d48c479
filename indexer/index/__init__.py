"""Searching vectors: the protocol, FAISS, segments on disk, and the view that a search reads."""

from indexer.index.base import Hits, VectorIndex
from indexer.index.faiss_index import FaissIndex
from indexer.index.live import LiveView
from indexer.index.segment import FILES, factory, open_segment, write_segment
from indexer.index.view import View

__all__ = [
    "FILES",
    "FaissIndex",
    "Hits",
    "LiveView",
    "VectorIndex",
    "View",
    "factory",
    "open_segment",
    "write_segment",
]

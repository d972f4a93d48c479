"""Searching vectors: the protocol, FAISS, and the view that a search reads."""

from indexer.index.base import Hits, VectorIndex
from indexer.index.faiss_index import FaissIndex
from indexer.index.live import LiveView
from indexer.index.view import View

__all__ = ["FaissIndex", "Hits", "LiveView", "VectorIndex", "View"]

"""Vector search: the protocol, FAISS, segments on disk, and the view that a search reads."""

from indexer.store.embedded.index.base import Hits, VectorIndex
from indexer.store.embedded.index.faiss_index import FaissIndex
from indexer.store.embedded.index.knn import nearest_rows
from indexer.store.embedded.index.live import LiveView
from indexer.store.embedded.index.segment import FILES, factory, open_segment, write_segment
from indexer.store.embedded.index.view import Images, View, cosines

__all__ = [
    "FILES",
    "FaissIndex",
    "Hits",
    "Images",
    "LiveView",
    "VectorIndex",
    "View",
    "cosines",
    "factory",
    "nearest_rows",
    "open_segment",
    "write_segment",
]

"""The index of a store's products: library and command line.

`service` imports `indexer`, never the reverse. Only `indexer.embedding` imports TensorFlow, only
`indexer.store.embedded.index` imports FAISS, and only `indexer.cli` imports click and rich. This
module imports nothing, so that settings, feeds and the catalogue load without any of them.
"""

__version__ = "0.1.0"

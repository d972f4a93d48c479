"""The index of a store's products: library and command line.

Layers: `service` imports `indexer`, never the reverse. TensorFlow stays in
`indexer.embedding`, FAISS in `indexer.store.embedded.index`, click and rich in `indexer.cli`,
Flask in `service`. This module imports nothing, so that settings, feeds and the
catalogue can be used without waiting for any of them.
"""

__version__ = "0.1.0"

"""Answers queries: collections, photos to vectors, batching, admission, metrics.

Imports `indexer` and `service.errors`, not Flask.
"""

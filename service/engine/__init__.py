"""Answers queries: collections, query embedding, batching, admission. No Flask in here."""

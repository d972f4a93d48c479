"""The catalogue of one collection in SQLite: products, images, embeddings and journal."""

from indexer.store.embedded.catalog.catalog import Catalog
from indexer.store.embedded.catalog.reader import CatalogReader, Changes
from indexer.store.embedded.catalog.writer import CatalogWriter

__all__ = ["Catalog", "CatalogReader", "CatalogWriter", "Changes"]

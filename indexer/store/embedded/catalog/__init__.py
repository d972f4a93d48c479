"""The durable truth of one collection: products, images, embeddings, journal, in SQLite."""

from indexer.store.embedded.catalog.catalog import Catalog
from indexer.store.embedded.catalog.checksums import DamagedError
from indexer.store.embedded.catalog.records import (
    Attributes,
    AttributeValue,
    Changes,
    Image,
    NewImage,
    Outcome,
    Product,
    PutProduct,
    outcome,
)
from indexer.store.embedded.catalog.snapshot import CatalogSnapshot
from indexer.store.embedded.catalog.writer import CatalogWriter

__all__ = [
    "AttributeValue",
    "Attributes",
    "Catalog",
    "CatalogSnapshot",
    "CatalogWriter",
    "Changes",
    "DamagedError",
    "Image",
    "NewImage",
    "Outcome",
    "Product",
    "PutProduct",
    "outcome",
]

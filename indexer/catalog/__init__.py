"""The durable truth of one collection: products, images, embeddings, journal, in SQLite."""

from indexer.catalog.catalog import Catalog
from indexer.catalog.checksums import DamagedError
from indexer.catalog.records import (
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
from indexer.catalog.snapshot import CatalogSnapshot
from indexer.catalog.writer import CatalogWriter

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

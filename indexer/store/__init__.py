"""The storage of a collection: the protocol used by search and ingest, and its implementations."""

from indexer.store.base import Reader, Records, SearchReader, Store, Writer
from indexer.store.conditions import Condition, parse
from indexer.store.records import (
    VECTOR_HASH,
    Attributes,
    AttributeValue,
    Image,
    NewImage,
    Outcome,
    Product,
    PutProduct,
    outcome,
    revision,
)
from indexer.store.selection import Candidates, FacetCount, Selection

__all__ = [
    "VECTOR_HASH",
    "AttributeValue",
    "Attributes",
    "Candidates",
    "Condition",
    "FacetCount",
    "Image",
    "NewImage",
    "Outcome",
    "Product",
    "PutProduct",
    "Reader",
    "Records",
    "SearchReader",
    "Selection",
    "Store",
    "Writer",
    "outcome",
    "parse",
    "revision",
]

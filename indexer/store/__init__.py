"""What search and ingest need of a collection: one protocol, and what implements it."""

from indexer.store.base import (
    Candidates,
    FacetCount,
    Reader,
    Records,
    SearchReader,
    Selection,
    Store,
    Writer,
)
from indexer.store.conditions import Condition, parse
from indexer.store.records import (
    Attributes,
    AttributeValue,
    Image,
    NewImage,
    Outcome,
    Product,
    PutProduct,
    outcome,
)

__all__ = [
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
]

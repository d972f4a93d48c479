"""Reads product feeds as a stream of rows, and writes rows as a feed that reads back the same.

`read_feed` accepts a folder of photos, a photo, CSV/TSV, JSON Lines, Parquet and Google
Merchant XML. Columns follow the Google Merchant product data specification;
`indexer.feeds.merchant` documents how each is used.
"""

from indexer.feeds.dialects import open_table
from indexer.feeds.documents import (
    change_attributes,
    read_attributes,
    read_changes,
    require_product_id,
)
from indexer.feeds.limits import MAX_ATTRIBUTES
from indexer.feeds.limits import SUMMARY as LIMITS
from indexer.feeds.origins import Feed
from indexer.feeds.reader import extension_of, read_feed
from indexer.feeds.rejected import RejectedFile, by_row
from indexer.feeds.rows import AttributeValue, FeedRow, ImageRef, Rejection, RowWarning
from indexer.feeds.writer import write_products_csv

__all__ = [
    "LIMITS",
    "MAX_ATTRIBUTES",
    "AttributeValue",
    "Feed",
    "FeedRow",
    "ImageRef",
    "RejectedFile",
    "Rejection",
    "RowWarning",
    "by_row",
    "change_attributes",
    "extension_of",
    "open_table",
    "read_attributes",
    "read_changes",
    "read_feed",
    "require_product_id",
    "write_products_csv",
]

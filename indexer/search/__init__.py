"""Answering a query on one collection: vectors or a product in, ranked products out."""

from indexer.search.answer import HASH_DIGITS, IMAGES, Answer, Match, image_url, thumbnail_url
from indexer.search.listing import Listing, list_products
from indexer.search.parameters import BoxText, Filter, SearchParameters
from indexer.search.searcher import Searcher, find_product, search_by_photos

__all__ = [
    "HASH_DIGITS",
    "IMAGES",
    "Answer",
    "BoxText",
    "Filter",
    "Listing",
    "Match",
    "SearchParameters",
    "Searcher",
    "find_product",
    "image_url",
    "list_products",
    "search_by_photos",
    "thumbnail_url",
]

"""Answering a query on one collection: vectors or a product in, ranked products out."""

from indexer.search.answer import Answer, ImageUrl, Match
from indexer.search.parameters import BoxText, SearchParameters
from indexer.search.searcher import Searcher, find_product, search_by_photos

__all__ = [
    "Answer",
    "BoxText",
    "ImageUrl",
    "Match",
    "SearchParameters",
    "Searcher",
    "find_product",
    "search_by_photos",
]

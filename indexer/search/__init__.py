"""Answering a query on one collection: vectors or a product in, ranked products out."""

from indexer.search.answer import IMAGES, Answer, Match, image_url
from indexer.search.parameters import BoxText, SearchParameters
from indexer.search.searcher import Searcher, find_product, search_by_photos

__all__ = [
    "IMAGES",
    "Answer",
    "BoxText",
    "Match",
    "SearchParameters",
    "Searcher",
    "find_product",
    "image_url",
    "search_by_photos",
]

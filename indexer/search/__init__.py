"""Answering a query on one collection: a photo or a product in, ranked products out."""

from indexer.search.answer import Answer, Match, image_url
from indexer.search.parameters import BoxText, SearchParameters
from indexer.search.searcher import Searcher, find_product

__all__ = [
    "Answer",
    "BoxText",
    "Match",
    "SearchParameters",
    "Searcher",
    "find_product",
    "image_url",
]

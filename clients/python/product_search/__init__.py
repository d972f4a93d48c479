"""Client of the visual product search service: finds similar products by photo."""

from product_search.answers import Answer, Change, FacetValue, Product, ProductImage, Result
from product_search.client import Client
from product_search.errors import ChangedError, ProblemError, SearchError, UnreachableError
from product_search.queries import Action, Operation, Parameters, Photo, Query

__all__ = [
    "Action",
    "Answer",
    "Change",
    "ChangedError",
    "Client",
    "FacetValue",
    "Operation",
    "Parameters",
    "Photo",
    "ProblemError",
    "Product",
    "ProductImage",
    "Query",
    "Result",
    "SearchError",
    "UnreachableError",
]

"""Results for people to judge, without what would tell which collection found them.

The results of several collections are pooled: raters see the union of the best `depth` of each.
K. Sparck Jones and C. J. van Rijsbergen, "Report on the need for and provision of an ideal
information retrieval test collection" (1975).
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b, sha256
from heapq import merge, nsmallest
from itertools import groupby
from threading import Lock

from indexer.events import RatedQuery
from indexer.search import Answer, SearchParameters, find_product
from indexer.store import Product
from service.engine import queries
from service.engine.collections import SearchService
from service.engine.recent import Recent

_SAMPLES = 16  # remembered; one of 1,000 long ids takes 0.5 MiB

_SampleKey = tuple[tuple[tuple[str, int], ...], int, int]  # versions, count, seed


@dataclass(frozen=True)
class Pool:
    """What a rater sees of a query.

    Attributes:
        query: what was searched for.
        product: that product; None for a photo.
        candidates: to judge, in an order that depends on the rater and not on any ranking.
    """

    query: RatedQuery
    product: Product | None
    candidates: list[Product]


class Samples:
    """Random products as queries, the same for every rater. Thread-safe.

    The last samples are remembered, because each needs the hashes of all product ids.
    """

    def __init__(self) -> None:
        self._recent = Recent[_SampleKey, list[str]](_SAMPLES)
        self._lock = Lock()

    def of(
        self, service: SearchService, collections: Sequence[str], count: int, seed: int
    ) -> list[str]:
        """Returns random products that all collections have, in random order.

        They are those with the smallest hashes, so a change of the catalogue changes few of them.

        Raises:
            UnknownCollectionError, NotReadyError: as `SearchService.searcher`.
            OverloadedError: too many requests do the like; it reads the ids of all products.
        """
        with ExitStack() as stack:
            searchers = [service.searcher(name) for name in collections]
            readers = [stack.enter_context(searcher.store.reader()) for searcher in searchers]
            versions = [
                (name, reader.seq) for name, reader in zip(collections, readers, strict=True)
            ]
            key = (tuple(versions), count, seed)
            with self._lock:
                known = self._recent.get(key)
            if known is None:
                with service.admission.admit("batch"):
                    known = _sample([reader.product_ids() for reader in readers], count, seed)
                with self._lock:
                    self._recent.put(key, known)
            return known


def _sample(ids: Sequence[Iterator[str]], count: int, seed: int) -> list[str]:
    """Returns a sample of what all of the ascending iterators have."""
    salt = seed.to_bytes(blake2b.SALT_SIZE, "big")

    def place(product_id: str) -> bytes:
        return blake2b(product_id.encode(), digest_size=8, salt=salt).digest()

    return nsmallest(count, _common(ids), key=place)


def pool_of_product(
    service: SearchService, collections: Sequence[str], product_id: str, depth: int, rater: str
) -> Pool:
    """Pools the products that look most like a product, without itself.

    Args:
        service: searches.
        collections: one or more, in any order.
        product_id: a product of all of them.
        depth: results of each collection.
        rater: for whom.

    Raises:
        ImageSearchError: a collection cannot answer the query.
    """
    parameters = SearchParameters(limit=depth)
    answers = [
        queries.by_product(service, name, product_id, parameters, include_itself=False)
        for name in collections
    ]
    query = RatedQuery("product", product_id)
    with service.searcher(min(collections)).store.reader() as reader:
        product = find_product(reader, product_id)
    return Pool(query, product, _blind(service, answers, query, rater))


def pool_of_photo(
    service: SearchService, collections: Sequence[str], photo: bytes, depth: int, rater: str
) -> Pool:
    """Pools the products that look most like a photo; see `pool_of_product`."""
    parameters = SearchParameters(limit=depth)
    answers = [queries.by_photos(service, name, [photo], parameters) for name in collections]
    query = RatedQuery("photo", sha256(photo).hexdigest())
    return Pool(query, None, _blind(service, answers, query, rater))


def _blind(
    service: SearchService, answers: Sequence[Answer], query: RatedQuery, rater: str
) -> list[Product]:
    """Returns the union of the results in the order of a hash.

    All are read from one collection, whichever found them, because the address of a photo names
    its collection. So a product that is not in all collections, which would tell, is left out.
    """
    products = {match.product.product_id for answer in answers for match in answer.matches}
    first, *others = sorted(answer.collection for answer in answers)
    for name in others:
        with service.searcher(name).store.reader() as reader:
            products &= reader.products(products).keys()
    with service.searcher(first).store.reader() as reader:
        found = reader.products(products)
    place = partial(_hash, rater, query.kind, query.id)
    return [found[product_id] for product_id in sorted(found, key=place)]


def _common(ids: Sequence[Iterator[str]]) -> Iterator[str]:
    """Yields what all of the ascending iterators have."""
    if len(ids) == 1:
        yield from ids[0]
        return
    for product_id, same in groupby(merge(*ids)):
        if sum(1 for _ in same) == len(ids):
            yield product_id


def _hash(*parts: str) -> bytes:
    return blake2b(json.dumps(parts).encode(), digest_size=16).digest()

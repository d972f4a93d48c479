"""A shop for the campaigns: real parts without photos or network, and a dictionary beside it.

A photo is a number, which decides its vector. The dictionary says what each product is; after
whatever happened, the shop must hold and answer the same.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from random import Random

import numpy as np

from indexer.arrays import Vector, Vectors, normalised
from indexer.config import IndexSettings
from indexer.maintenance import compaction
from indexer.maintenance.neighbours import bring_up_to_date
from indexer.maintenance.restore import restore
from indexer.maintenance.snapshots import Snapshots
from indexer.maintenance.verify import verify
from indexer.search import Answer, Searcher, SearchParameters
from indexer.store import NewImage, PutProduct
from indexer.store.embedded.catalog import Catalog, CatalogReader
from indexer.store.embedded.store import EmbeddedStore
from tests.fakes import FAKE_SPEC

DIMENSION = FAKE_SPEC.dimension
# product id -> its photos and its price
State = dict[str, tuple[tuple[int, ...], int]]
NAMES = [f"product/{number} ü" for number in range(30)]
_PHOTOS = 60
EVERYTHING = SearchParameters(limit=200)
_FIRST = SearchParameters(limit=4)
# Neighbours of each product in the table: some of the products, or all.
_K = (_FIRST.limit, len(NAMES))
_INDEX_TYPES = "auto", "SQ8"  # vectors in the index, or beside codes
_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Operation:
    """Something that is done to a shop, wholly or not at all."""

    kind: str  # put, remove, compact, neighbours, snapshot, restore
    products: State = field(default_factory=dict)
    snapshot: str = ""

    def on(self, state: State, snapshots: dict[str, State]) -> State:
        """What a dictionary is after the operation."""
        match self.kind:
            case "put":
                return state | self.products
            case "remove":
                return {key: value for key, value in state.items() if key not in self.products}
            case "restore":
                return snapshots[self.snapshot]
        return state


class Shop:
    """Catalogue, searches and snapshots in one folder."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data" / "default"
        self.snapshots = Snapshots(folder / "snapshots" / "default")

    @cached_property
    def catalog(self) -> Catalog:
        return Catalog(self.data, create=True)

    @cached_property
    def searcher(self) -> Searcher:
        return Searcher(
            "shop",
            EmbeddedStore(self.catalog),
            FAKE_SPEC,
        )

    def close(self) -> None:
        """Until it is used again."""
        self.__dict__.pop("searcher", None)
        if catalog := self.__dict__.pop("catalog", None):
            catalog.close()

    def do(self, operation: Operation) -> str:
        """Returns the name of a snapshot that was taken."""
        match operation.kind:
            case "put":
                with self.catalog.writer() as writer:
                    writer.bind(
                        fingerprint=FAKE_SPEC.fingerprint,
                        weights=FAKE_SPEC.weights,
                        dimension=DIMENSION,
                    )
                    writer.put(_put(name, *value) for name, value in operation.products.items())
            case "remove":
                with self.catalog.writer() as writer:
                    writer.remove(operation.products)
            case "compact":
                with self.catalog.reader() as reader:
                    kind = _INDEX_TYPES[reader.seq % 2]
                compaction.compact(self.catalog, IndexSettings(type=kind))
            case "neighbours":
                with self.catalog.reader() as reader:
                    k = _K[reader.seq % 2]
                bring_up_to_date(self.catalog, k, lambda _: None)
            case "snapshot":
                return self.snapshots.create(self.catalog).name
            case "restore":
                restore(self.snapshots, operation.snapshot, self.data, FAKE_SPEC)
        return ""

    def state(self) -> State:
        """What the catalogue holds."""
        with self.catalog.reader() as snapshot:
            return _state(snapshot)

    def similar(self, product_id: str) -> Answer:
        """
        Raises:
            AssertionError: the first page, which may be from the table, is not that of all.
        """
        answer = self.searcher.by_product(product_id, EVERYTHING, include_itself=True)
        first = self.searcher.by_product(product_id, _FIRST, include_itself=True)
        assert first.matches == answer.matches[: _FIRST.limit]
        return answer

    def require_filtered(self, expected: State) -> None:
        """
        Raises:
            AssertionError: what a filter selects, or its counts, differ from the dictionary.
        """
        for product_id in sorted(expected)[:1]:
            price = expected[product_id][1]
            parameters = SearchParameters(limit=200, filter=[f"price<={price}"], facets=["price"])
            answer = self.searcher.by_product(product_id, parameters, include_itself=True)
            prices = {name: value for name, (_, value) in expected.items() if value <= price}
            assert {match.product.product_id for match in answer.matches} == set(prices)
            counts = {count.value: count.count for count in answer.facets["price"]}
            assert counts == Counter(prices.values())

    def require(self, expected: State, searched: Iterable[str]) -> None:
        """
        Raises:
            AssertionError: the shop differs from the dictionary.
        """
        with self.catalog.reader() as snapshot:
            assert snapshot.counts()[0] == len(expected)
        for product_id in searched:
            require_answer(self.similar(product_id), product_id, expected)
        self.require_filtered(expected)

    def require_whole(self, expected: State) -> None:
        """
        Raises:
            AssertionError: the shop differs from the dictionary in anything, or is damaged.
        """
        assert not (found := verify(self.catalog)), found
        assert self.state() == expected
        self.require(expected, expected)


def require_answer(answer: Answer, product_id: str, expected: State) -> None:
    """
    Raises:
        AssertionError: the answer is not what the dictionary says.
    """
    scores = _scores(product_id, expected)
    found = [(match.product.product_id, match.score) for match in answer.matches]
    assert answer.total == len(expected)
    assert {name for name, _ in found} == set(expected)
    assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)
    for match in answer.matches:
        photos, price = expected[match.product.product_id]
        assert abs(match.score - scores[match.product.product_id]) < _TOLERANCE
        assert match.product.attributes == {"price": price}
        assert match.image.uri in {f"{photo}.jpg" for photo in photos}


def random_operation(random: Random, state: State, snapshots: dict[str, State]) -> Operation:
    """One that can be done now; most change products."""
    kinds = ["put"] * 36 + ["snapshot"] + ["restore"] * bool(snapshots)
    if state:
        kinds += ["remove"] * 12 + ["compact"] + ["neighbours"] * 2
    kind = random.choice(kinds)
    return operation_of(kind, random, state, snapshots)


def operation_of(kind: str, random: Random, state: State, snapshots: dict[str, State]) -> Operation:
    match kind:
        case "put":
            return Operation(kind, dict(_product(random) for _ in range(random.randint(1, 3))))
        case "remove":
            names = random.sample(sorted(state), min(len(state), random.randint(1, 2)))
            return Operation(kind, {name: state[name] for name in names})
        case "restore":
            return Operation(kind, snapshot=random.choice(sorted(snapshots)))
    return Operation(kind)


def _product(random: Random) -> tuple[str, tuple[tuple[int, ...], int]]:
    photos = tuple(random.randrange(_PHOTOS) for _ in range(random.randint(1, 3)))
    return random.choice(NAMES), (photos, random.randrange(100))


def _vector(photo: int) -> Vector:
    vector: Vector = normalised(np.random.default_rng(photo).normal(size=(1, DIMENSION)))[0]
    return vector


_VECTORS: Vectors = np.stack([_vector(photo) for photo in range(_PHOTOS)])
_COSINES = _VECTORS.astype(np.float64) @ _VECTORS.astype(np.float64).T


def _scores(product_id: str, state: State) -> dict[str, float]:
    queries, _ = state[product_id]
    return {
        name: float(_COSINES[np.ix_(queries, photos)].max()) for name, (photos, _) in state.items()
    }


def _put(product_id: str, photos: tuple[int, ...], price: int) -> PutProduct:
    images = tuple(
        NewImage(f"{p}.jpg", f"/photos/{p}.jpg", f"photo {p}", _VECTORS[p]) for p in photos
    )
    return PutProduct(product_id, {"price": price}, images)


def _state(snapshot: CatalogReader) -> State:
    found: State = {}
    for product in snapshot.products(snapshot.product_ids()).values():
        photos = tuple(int(image.uri.removesuffix(".jpg")) for image in product.images)
        ids, vectors = snapshot.vectors([image.image_id for image in product.images])
        by_id = dict(zip(ids.tolist(), vectors, strict=True))
        for image, photo in zip(product.images, photos, strict=True):
            assert (by_id[image.image_id] == _VECTORS[photo]).all()
        found[product.product_id] = photos, int(product.attributes["price"])
    return found

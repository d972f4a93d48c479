"""Measures each option of a query, compared with the same search without options.

    python -m benchmarks.query_options --sizes 100000 1000000

The vectors are those of `benchmarks.load.mixtures`, the attributes like those of a shop's feed. A
query is the vector of a product, so that nothing is embedded. `index` is the time spent in the
index. What conditions select is remembered until products change; an option marked "first time" has
a condition that was not used before.
"""

import argparse
import json
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.index_scale import BATCH, anonymous_mib, took_ms
from benchmarks.load.mixtures import mixtures, product, real_vectors
from indexer.arrays import Vectors
from indexer.config import IndexSettings
from indexer.maintenance.compaction import rebuild
from indexer.search import Searcher, SearchParameters
from indexer.store import Attributes, PutProduct
from indexer.store.embedded.attributes import LiveTable
from indexer.store.embedded.catalog import Catalog
from indexer.store.embedded.index import Hits, Images
from indexer.store.embedded.store import EmbeddedStore
from tests.fakes import FAKE_SPEC

QUERIES = 60
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "filter, half match": {"filter": ["price<=150"]},
    "filter, a tenth match": {"filter": ["color:red,white", "gender:female", "in_stock:true"]},
    "filter, 1 % match": {"filter": ["brand:brand 1,brand 2,brand 3"]},
    "facets of three attributes": {"facets": ["color", "brand", "category"]},
    "boost": {"boost": ["brand:brand 1^0.05"]},
    "dedup": {"dedup": True},
    "diversify": {"diversify": "brand"},
    "group_by": {"group_by": "item_group_id"},
    "more_like and less_like": {"more_like": ["11"], "less_like": ["12"]},
    "min_score": {"min_score": 0.9},
    "a storefront's page": {
        "filter": ["in_stock:true", "price<=200"],
        "facets": ["color", "brand"],
        "dedup": True,
        "diversify": "brand:2",
    },
    "filter, half match, first time": {"filter": ["price<=150.{new}"]},
    "filter, a tenth match, first time": {
        "filter": ["color:red,white", "gender:female", "in_stock:true", "price<=290.{new}"]
    },
    "facets of half, first time": {
        "filter": ["price<=150.1{new}"],
        "facets": ["color", "brand", "category"],
    },
    "boost, first time": {"boost": ["price<=6.{new}^0.05"]},
    "a storefront's page, first time": {
        "filter": ["in_stock:true", "price<=200.{new}"],
        "facets": ["color", "brand"],
        "dedup": True,
        "diversify": "brand:2",
    },
}


def attributes(number: int, rng: random.Random) -> Attributes:
    """Returns random attributes of a product."""
    return {
        "title": f"Shoe number {number}, made to be found",
        "link": f"https://shop.example/products/{number}",
        "brand": f"Brand {rng.randrange(300)}",
        "color": rng.choice(["red", "blue", "green", "black", "white", "brown", "grey"]),
        "category": rng.choice(["Boots", "Sandals", "Trainers", "Heels"]),
        "gender": rng.choice(["female", "male"]),
        "size": str(rng.randint(34, 46)),
        "price": round(rng.uniform(5, 295), 2),
        "currency": "EUR",
        "in_stock": rng.random() < 0.9,
        "item_group_id": f"group {number // 4}",
    }


def fill(catalog: Catalog, size: int, real: Vectors, seed: int) -> None:
    """Fills a catalogue with products."""
    rng, drawn = random.Random(seed), np.random.default_rng(seed)
    with catalog.writer() as writer:
        writer.bind(fingerprint="made", weights="made", dimension=real.shape[1])
        for start in range(0, size, BATCH):
            vectors = mixtures(real, min(BATCH, size - start), drawn)
            made = [product(start + i + 1, vector) for i, vector in enumerate(vectors)]
            writer.put(
                PutProduct(p.product_id, attributes(int(p.product_id), rng), p.images) for p in made
            )


class TimedIndex:
    """Sums the time that searches spend in the index."""

    def __init__(self) -> None:
        self.ms = 0.0
        self._search: Callable[..., Hits] = Images.search

    def search(self, images: Images, *arguments: Any) -> Hits:
        """Searches, and adds the duration to `ms`."""
        start = time.perf_counter()
        try:
            return self._search(images, *arguments)
        finally:
            self.ms += 1000 * (time.perf_counter() - start)


def measure(folder: Path, size: int, real: Vectors, seed: int) -> None:
    """Measures one size of catalogue, and prints the table."""
    catalog = Catalog(folder, create=True)
    fill(catalog, size, real, seed)
    rebuild(catalog, IndexSettings())
    before = anonymous_mib()
    with catalog.reader() as reader:
        read = took_ms(LiveTable().at, reader)
    print(f"\n{size:,} products: attributes opened in {read / 1000:.2f} s", end="", flush=True)
    searcher = Searcher("default", EmbeddedStore(catalog), FAKE_SPEC)
    plain = SearchParameters()
    searcher.by_product("1", plain, include_itself=False)  # a command, which reads none
    unread = [_search(searcher, number, plain) for number in _queries(size)]
    searcher.store.refresh()
    print(f", {anonymous_mib() - before:.0f} MiB")
    print(f"plain, attributes not read: {np.median(unread):.2f} ms")
    index = TimedIndex()
    Images.search = lambda *a: index.search(*a)  # type: ignore[method-assign]
    spent = {name: np.empty((QUERIES, 2)) for name in OPTIONS}
    for at, number in enumerate(_queries(size)):
        for name, options in OPTIONS.items():  # in turn, so that noise hits all alike
            index.ms, asked = 0.0, parameters(options, at)
            spent[name][at, 0] = _search(searcher, number, asked)
            spent[name][at, 1] = index.ms
    Images.search = index._search  # type: ignore[method-assign]
    base = np.median(spent["plain"][:, 0])
    print(f"{'':<34} {'ms':>8} {'times':>6} {'index':>8}")
    for name, of in spent.items():
        whole, inside = np.median(of, axis=0)
        print(f"{name:<34} {whole:>8.2f} {whole / base:>6.2f} {inside:>8.2f}", flush=True)
    catalog.close()


def parameters(options: dict[str, Any], number: int) -> SearchParameters:
    """Returns the parameters of an option, with new conditions where it has a place for them."""
    text = json.dumps(options).replace("{new}", f"{number:03}")
    return SearchParameters.model_validate_json(text)


def _queries(size: int) -> list[int]:
    numbers: list[int] = np.random.default_rng(2).integers(100, size, QUERIES).tolist()
    return numbers


def _search(searcher: Searcher, number: int, asked: SearchParameters) -> float:
    return took_ms(lambda: searcher.by_product(str(number), asked, include_itself=False))


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100_000])
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    real = real_vectors()
    for size in arguments.sizes:
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder), size, real, arguments.seed)


if __name__ == "__main__":
    main()

"""Measures the index at several sizes of catalogue, compared with a plain FAISS index.

    python -m benchmarks.index_scale --sizes 10000 100000 1000000

The vectors are mixtures of real vectors of footwear (IMAGE_SEARCH_TEST_DATA), so that
neighbourhoods are realistic. The plain index is `IndexIDMap2(IndexFlatIP)` in memory. A million
vectors take about ten minutes, 8 GB of memory and 8 GB of disk.
"""

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from indexer.arrays import Ids, Vector, Vectors, normalised
from indexer.config import IndexSettings
from indexer.interchange.features import read_features
from indexer.maintenance.compaction import rebuild
from indexer.store import NewImage, PutProduct
from indexer.store.embedded.catalog import Catalog
from indexer.store.embedded.index import LiveView, View

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("IMAGE_SEARCH_TEST_DATA", ROOT / "../shared/data")) / "footwear"
K = 10
QUERIES = 100
PLAIN_QUERIES = 15  # each takes a third of a second at a million
THREADS = 8
CHANGES = 15
BATCH = 5000
CORNERS, NOISE = 3, 0.02
SELECTIVITIES = (0.0001, 0.01, 0.1, 0.5)

Mask = NDArray[np.bool_]
Row = tuple[str, str, str]  # what, this index, the plain one


def mixtures(real: Vectors, count: int, rng: np.random.Generator) -> Vectors:
    """Returns random mixtures of three real vectors each, with noise: (count, dimension)."""
    corners = real[rng.integers(0, len(real), (count, CORNERS))]
    weights = rng.dirichlet(np.ones(CORNERS), count).astype(np.float32)
    noise = NOISE * rng.standard_normal((count, real.shape[1]), dtype=np.float32)
    return normalised(np.einsum("nk,nkd->nd", weights, corners) + noise)


def took_ms(call: Callable[..., object], *arguments: object) -> float:
    """Returns the duration of a call in milliseconds."""
    start = time.perf_counter()
    call(*arguments)
    return 1000 * (time.perf_counter() - start)


def ms(values: Iterable[float]) -> str:
    """Formats the median of durations."""
    return f"{np.median(list(values)):.2f} ms"


class Plain:
    """A plain FAISS index."""

    def __init__(self, dimension: int) -> None:
        self.index = faiss.IndexIDMap2(faiss.IndexFlatIP(dimension))

    def search(self, query: Vector, allowed: Mask | None = None) -> Ids:
        """Returns the `K` nearest ids."""
        selector = allowed is not None and faiss.IDSelectorBitmap(
            np.packbits(allowed, bitorder="little")
        )
        parameters = faiss.SearchParameters(sel=selector) if selector else None
        ids: Ids = self.index.search(query[None], K, params=parameters)[1][0]
        return ids

    def add(self, number: int, vector: Vector) -> None:
        """Adds a vector."""
        self.index.add_with_ids(vector[None], np.array([number]))

    def remove(self, number: int) -> None:
        """Removes a vector."""
        self.index.remove_ids(np.array([number]))


@dataclass
class Ours:
    """A catalogue, and the view of it in a service process."""

    catalog: Catalog
    live: LiveView

    def view(self) -> View:
        """Returns the view of the current version."""
        while True:
            with self.catalog.reader() as reader:
                if (view := self.live.at(reader)) is not None:
                    return view

    def search(self, query: Vector, allowed: Mask | None = None) -> Ids:
        """Returns the `K` nearest ids."""
        return self.view().search(query[None], K, allowed).ids


def product(number: int, vector: Vector) -> PutProduct:
    """Returns a product with one image."""
    name = f"{number}.jpg"
    return PutProduct(str(number), {}, (NewImage(name, name, f"made:{number}", vector),))


def fill(catalog: Catalog, plain: Plain, chunks: Iterable[Vectors]) -> None:
    """Adds the same vectors with the same ids, from 1, to both."""
    with catalog.writer() as writer:
        writer.bind(fingerprint="made", weights="made", dimension=plain.index.d)
        for vectors in chunks:
            ids = np.arange(len(vectors)) + plain.index.ntotal + 1
            plain.index.add_with_ids(vectors, ids)
            writer.put(product(i, v) for i, v in zip(ids.tolist(), vectors, strict=True))


def rate(search: Callable[[Vector], Ids], queries: Vectors) -> str:
    """Measures searches per second from several threads."""
    with ThreadPoolExecutor(THREADS) as pool:
        spent = took_ms(lambda: list(pool.map(search, queries)))
    return f"{1000 * len(queries) / spent:.0f} /s"


def searching(ours: Ours, plain: Plain, queries: Vectors) -> Iterator[Row]:
    """Measures single searches, parallel searches, and recall."""
    few = queries[:PLAIN_QUERIES]
    yield (
        "one search",
        ms(took_ms(ours.search, query) for query in queries),
        ms(took_ms(plain.search, query) for query in few),
    )
    yield (
        f"searches from {THREADS} threads",
        rate(ours.search, np.repeat(queries, 5, axis=0)),
        rate(plain.search, few),
    )
    same = [len(np.intersect1d(ours.search(query), plain.search(query))) for query in queries]
    yield f"recall@{K}", f"{np.mean(same) / K:.4f}", "1"


def filtering(ours: Ours, plain: Plain, queries: Vectors) -> Iterator[Row]:
    """Measures searches among random ids; checks that pages are full and match."""
    rng = np.random.default_rng(1)
    for share in SELECTIVITIES:
        allowed = rng.random(plain.index.ntotal + 1) < share
        allowed[1 : 1 + K] = True
        for query in queries:
            found = ours.search(query, allowed)
            if len(found) != K or not allowed[found].all():
                sys.exit(f"asked for {K} of the allowed ids, received {found}")
        yield (
            f"one search among {share:.2%}",
            ms(took_ms(ours.search, query, allowed) for query in queries),
            ms(took_ms(plain.search, query, allowed) for query in queries[:PLAIN_QUERIES]),
        )


def changing(ours: Ours, plain: Plain, new: Vectors) -> Iterator[Row]:
    """Measures adding and removing single products, each followed by a search."""
    products = list(enumerate(new, plain.index.ntotal + 1))
    spent = np.empty((4, len(new)))
    with ours.catalog.writer() as writer:
        for row, (number, vector) in enumerate(products):
            spent[0, row] = took_ms(writer.put, [product(number, vector)])
            spent[1, row] = took_ms(ours.search, vector)
        for row, (number, vector) in enumerate(products):
            spent[2, row] = took_ms(writer.remove, [str(number)])
            spent[3, row] = took_ms(ours.search, vector)
    added = ms(took_ms(plain.add, number, vector) for number, vector in products)
    removed = ms(took_ms(plain.remove, number) for number, _ in products[:3])
    yield "add a product", ms(spent[0]), added
    yield "the search after it", ms(spent[1]), ""
    yield "remove a product", ms(spent[2]), removed
    yield "the search after it", ms(spent[3]), ""


def opening(folder: Path, results: "multiprocessing.Queue[tuple[float, float]]") -> None:
    """Measures in a new process: milliseconds to open, anonymous MiB after searching."""
    before, ours = anonymous_mib(), Ours(Catalog(folder), LiveView())
    spent = took_ms(ours.view)
    base = ours.view().base
    if base is None:
        sys.exit("the segment was not opened")
    for vector in base.vectors(base.ids[:QUERIES]):
        ours.search(vector)
    results.put((spent, anonymous_mib() - before))


def anonymous_mib() -> float:
    """Returns the anonymous resident memory of this process."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("RssAnon:")[1].split()[0]) / 1024


def storing(folder: Path, plain: Plain) -> Iterator[Row]:
    """Measures opening, memory and disk space."""
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[tuple[float, float]] = context.Queue()
    process = context.Process(target=opening, args=(folder, results))
    process.start()
    opened, anonymous = results.get()
    process.join()
    copy = folder / "plain"
    faiss.write_index(plain.index, str(copy))
    plain_opened = took_ms(faiss.read_index, str(copy))
    plain_mib = copy.stat().st_size / 2**20
    copy.unlink()
    yield "open", f"{opened:.0f} ms", f"{plain_opened:.0f} ms"
    yield "anonymous memory", f"{anonymous:.0f} MiB", f"{plain_mib:.0f} MiB"
    for what, pattern, other in (
        ("segment", "*.faiss", f"{plain_mib:.0f} MiB"),
        ("catalogue", "*.db*", ""),
    ):
        size = sum(path.stat().st_size for path in folder.glob(pattern)) / 2**20
        yield f"{what} on disk", f"{size:.0f} MiB", other


def measure(size: int, real: Vectors, seed: int, folder: Path) -> list[Row]:
    """Measures one size of catalogue."""
    rng = np.random.default_rng(seed)
    catalog, plain = Catalog(folder, create=True), Plain(real.shape[1])
    sizes = [min(BATCH, size - start) for start in range(0, size, BATCH)]
    filled = took_ms(fill, catalog, plain, (mixtures(real, count, rng) for count in sizes))
    rebuilt = took_ms(rebuild, catalog, IndexSettings())
    ours, queries = Ours(catalog, LiveView()), mixtures(real, QUERIES, rng)
    rows = [
        ("fill", f"{filled / 1000:.1f} s", ""),
        ("rebuild", f"{rebuilt / 1000:.1f} s", ""),
        *storing(folder, plain),
        *searching(ours, plain, queries),
        *filtering(ours, plain, queries),
        *changing(ours, plain, mixtures(real, CHANGES, rng)),
    ]
    catalog.close()
    return rows


def real_vectors() -> Vectors:
    """Returns the vectors of real photos, (n, dimension); ends the program if there are none."""
    features = DATA / "feature_vector_store.p"
    if not features.is_file():
        sys.exit(f"no vectors at {features}; set IMAGE_SEARCH_TEST_DATA")
    return normalised(read_features(features))


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    real = real_vectors()
    for size in arguments.sizes:
        with tempfile.TemporaryDirectory() as folder:
            rows = measure(size, real, arguments.seed, Path(folder))
        print(f"\n{f'{size:,} images':<28} {'this index':>12} {'plain':>12}")
        for what, ours, theirs in rows:
            print(f"{what:<28} {ours:>12} {theirs:>12}", flush=True)


if __name__ == "__main__":
    main()

"""Measures the index at several sizes of catalogue, compared with other FAISS indexes.

    python -m benchmarks.index_scale --sizes 10000 100000 1000000

In one run, on the same catalogue: the default index type; and up to 2,000,000 vectors, which fit
into memory, `IVF…,Flat`, the former default above 20,000 images, and a plain
`IndexIDMap2(IndexFlatIP)`. The vectors are mixtures of real vectors of footwear
(IMAGE_SEARCH_TEST_DATA), so that neighbourhoods are realistic. A million vectors take about ten
minutes, 8 GB of memory and 8 GB of disk; ten million take 50 GB of disk.
"""

import argparse
import multiprocessing
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import isqrt
from pathlib import Path
from typing import Self

import faiss
import numpy as np

from benchmarks.load.mixtures import K, Mask, Right, Truth, masks, mixtures, product, real_vectors
from indexer.arrays import Ids, Vector, Vectors
from indexer.config import IndexSettings
from indexer.maintenance.compaction import rebuild
from indexer.store.embedded.catalog import Catalog
from indexer.store.embedded.index import FILES, LiveView, View

QUERIES = 100
PLAIN_QUERIES = 15  # each takes a third of a second at a million
THREADS = 8
CHANGES = 15
BATCH = 5000
MAX_IN_MEMORY = 2_000_000
SAMPLED_EVERY_S = 0.2

Row = tuple[str, str]  # what, measured
Column = dict[str, str]  # what: measured
Search = Callable[[Vector], Ids]


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
        return self.only(allowed)(query)

    def only(self, allowed: Mask | None) -> Search:
        """Returns a search among the allowed ids."""
        selector = allowed is not None and faiss.IDSelectorBitmap(
            np.packbits(allowed, bitorder="little")
        )
        parameters = faiss.SearchParameters(sel=selector) if selector else None
        return lambda query: self.index.search(query[None], K, params=parameters)[1][0]

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
        return self.only(allowed)(query)

    def only(self, allowed: Mask | None) -> Search:
        """Returns a search among the allowed ids."""
        images = self.view() if allowed is None else self.view().only(allowed)
        return lambda query: images.search(query[None], K).ids


def fill(catalog: Catalog, dimension: int, chunks: Iterable[Vectors], truth: Truth) -> None:
    """Adds vectors with ids from 1; `truth` sees them too."""
    last = 0
    with catalog.writer() as writer:
        writer.bind(fingerprint="made", weights="made", dimension=dimension)
        for vectors in chunks:
            ids = np.arange(len(vectors)) + last + 1
            writer.put(product(i, v) for i, v in zip(ids.tolist(), vectors, strict=True))
            truth.add(ids, vectors)
            last += len(vectors)


def searching(index: Ours | Plain, queries: Vectors, images: int, right: Right) -> Iterator[Row]:
    """Measures single searches and their recall; checks that pages are full and match.

    "Again" is the same query with the same filter: what it reads is in memory, and the filter is
    prepared, as that of a storefront is.
    """
    for name, allowed in masks(images).items():
        first, same = [], []
        for number, query in enumerate(queries):
            start = time.perf_counter()
            found = index.search(query, allowed)
            first.append(1000 * (time.perf_counter() - start))
            if len(found) != K or not (allowed is None or allowed[found].all()):
                sys.exit(f"asked for {K} of the allowed ids, received {found}")
            same.append(len(np.intersect1d(found, right[name][number])) / K)
        prepared = index.only(allowed)
        again = [took_ms(prepared, query) for query in queries]
        yield f"one search{name}", ms(first)
        yield f"  again{name}", ms(again)
        yield f"  recall@{K}{name}", f"{np.mean(same):.4f}"


def one_thread_per_search() -> None:
    """Makes FAISS search in the calling thread only, as in the service."""
    faiss.omp_set_num_threads(1)


def rate(index: Ours | Plain, queries: Vectors) -> Row:
    """Measures searches per second from several threads."""
    with ThreadPoolExecutor(THREADS, initializer=one_thread_per_search) as pool:
        spent = took_ms(lambda: list(pool.map(index.search, queries)))
    return f"searches from {THREADS} threads", f"{1000 * len(queries) / spent:.0f} /s"


def changing(ours: Ours, new: Vectors) -> Iterator[Row]:
    """Measures adding and removing single products, each followed by a search."""
    with ours.catalog.reader() as reader:
        last = reader.end.image_id
    products = list(enumerate(new, last + 1))
    spent = np.empty((4, len(new)))
    with ours.catalog.writer() as writer:
        for row, (number, vector) in enumerate(products):
            spent[0, row] = took_ms(writer.put, [product(number, vector)])
            spent[1, row] = took_ms(ours.search, vector)
        for row, (number, vector) in enumerate(products):
            spent[2, row] = took_ms(writer.remove, [str(number)])
            spent[3, row] = took_ms(ours.search, vector)
    yield "add a product", ms(spent[0])
    yield "the search after adding", ms(spent[1])
    yield "remove a product", ms(spent[2])
    yield "the search after removing", ms(spent[3])


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


class PeakMemory:
    """Measures by how much the anonymous memory of this process grows, at most, in MiB."""

    def __enter__(self) -> Self:
        self.mib, self._before, self._over = 0.0, anonymous_mib(), threading.Event()
        self._thread = threading.Thread(target=self._sample)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._over.wait(SAMPLED_EVERY_S):
            self.mib = max(self.mib, anonymous_mib() - self._before)


def storing(folder: Path) -> Iterator[Row]:
    """Measures opening, memory and disk space."""
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[tuple[float, float]] = context.Queue()
    process = context.Process(target=opening, args=(folder, results))
    process.start()
    opened, anonymous = results.get()
    process.join()
    yield "open", f"{opened:.0f} ms"
    yield "anonymous memory", f"{anonymous:.0f} MiB"
    for what, pattern in (("segment", FILES), ("catalogue", "*.db*")):
        size = sum(path.stat().st_size for path in folder.glob(pattern)) / 2**20
        yield f"{what} on disk", f"{size:.0f} MiB"


def map_into_memory(view: View) -> None:
    """Reads every vector of the segment, as the searches of a service do in the course of time."""
    ids = view.base.ids if view.base else np.empty(0, np.int64)
    for start in range(0, len(ids), BATCH):
        view.vectors(ids[start : start + BATCH])


def of_type(kind: str, catalog: Catalog, queries: Vectors, new: Vectors, right: Right) -> Column:
    """Measures one type of index of a catalogue, which has the same images afterwards."""
    faiss.omp_set_num_threads(os.cpu_count() or 1)
    with PeakMemory() as peak:
        spent = took_ms(rebuild, catalog, IndexSettings(type=kind))
    one_thread_per_search()
    stored = dict(storing(catalog.folder))
    ours = Ours(catalog, LiveView())
    images = len(ours.view())
    map_into_memory(ours.view())
    return {
        "rebuild": f"{spent / 1000:.1f} s",
        "  its anonymous memory": f"{peak.mib:.0f} MiB",
        **stored,
        **dict(searching(ours, queries, images, right)),
        **dict([rate(ours, np.repeat(queries, 5, axis=0))]),
        **dict(changing(ours, new)),
    }


def of_plain(catalog: Catalog, queries: Vectors, new: Vectors, right: Right) -> Column:
    """Measures the plain index."""
    plain = Plain(queries.shape[1])
    with catalog.reader() as reader:
        for ids, vectors in reader.all_vectors():
            plain.index.add_with_ids(vectors, ids)
    images = plain.index.ntotal
    products = list(enumerate(new, images + 1))
    return {
        **dict(searching(plain, queries, images, right)),
        **dict([rate(plain, queries)]),
        "add a product": ms(took_ms(plain.add, number, vector) for number, vector in products),
        "remove a product": ms(took_ms(plain.remove, number) for number, _ in products[:3]),
    }


def measure(size: int, real: Vectors, seed: int, folder: Path) -> dict[str, Column]:
    """Measures one size of catalogue; returns a column for each type of index."""
    rng = np.random.default_rng(seed)
    catalog = Catalog(folder, create=True)
    queries, new = mixtures(real, QUERIES, rng), mixtures(real, CHANGES, rng)
    sizes = [min(BATCH, size - start) for start in range(0, size, BATCH)]
    truth = Truth(queries, size)
    chunks = (mixtures(real, count, rng) for count in sizes)
    filled = took_ms(fill, catalog, real.shape[1], chunks, truth)
    print(f"\n{size:,} images, filled in {filled / 1000:.1f} s", flush=True)
    right = truth.ids()
    columns = {"default": of_type("auto", catalog, queries, new, right)}
    if size <= MAX_IN_MEMORY:
        lists = f"IVF{isqrt(size)},Flat"
        columns[lists] = of_type(lists, catalog, queries, new, right)
        columns["plain"] = of_plain(catalog, queries[:PLAIN_QUERIES], new, right)
    catalog.close()
    return columns


def show(columns: dict[str, Column]) -> None:
    """Prints a table."""
    print(f"{'':<28}", *(f"{name:>14}" for name in columns))
    for what in next(iter(columns.values())):
        print(f"{what:<28}", *(f"{column.get(what, ''):>14}" for column in columns.values()))


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    real = real_vectors()
    for size in arguments.sizes:
        with tempfile.TemporaryDirectory() as folder:
            show(measure(size, real, arguments.seed, Path(folder)))


if __name__ == "__main__":
    main()

"""Measures opening the attributes of all products from their file, and reading them instead.

    python -m benchmarks.attributes --sizes 100000 1000000

The attributes are like those of a shop's feed; the vectors are short, because none is searched.
Each way of opening is measured in a new process, whose anonymous memory is that which workers do
not share.
"""

import argparse
import multiprocessing
import random
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.index_scale import BATCH, anonymous_mib, took_ms
from benchmarks.load.mixtures import product
from benchmarks.query_options import attributes
from indexer.arrays import normalised
from indexer.maintenance.attributes import renew, update
from indexer.store import NewImage, PutProduct
from indexer.store.embedded.attributes import LiveTable, table_path
from indexer.store.embedded.catalog import Catalog

DIMENSION = 8
CHANGED = (1_000, 10_000, 20_000)  # products, in turn
_CHUNK = 500


def fill(catalog: Catalog, size: int) -> None:
    """Fills a catalogue with products."""
    rng, drawn = random.Random(1), np.random.default_rng(1)
    with catalog.writer() as writer:
        writer.bind(fingerprint="made", weights="made", dimension=DIMENSION)
        for start in range(0, size, BATCH):
            vectors = normalised(drawn.standard_normal((min(BATCH, size - start), DIMENSION)))
            made = [product(start + i + 1, vector) for i, vector in enumerate(vectors)]
            writer.put(
                PutProduct(p.product_id, attributes(int(p.product_id), rng), p.images) for p in made
            )


def change(catalog: Catalog, count: int, size: int) -> None:
    """Gives random products another price."""
    rng = random.Random(count)
    chosen = [str(number) for number in rng.sample(range(1, size + 1), count)]
    with catalog.writer() as writer:
        for start in range(0, count, _CHUNK):
            with catalog.reader() as reader:
                stored = reader.products(chosen[start : start + _CHUNK]).values()
            writer.put(
                PutProduct(
                    p.product_id,
                    p.attributes | {"price": rng.random()},
                    tuple(NewImage(i.uri, i.location, i.content_hash, None) for i in p.images),
                )
                for p in stored
            )


def opening(folder: Path, results: "multiprocessing.Queue[tuple[float, float]]") -> None:
    """Measures in a new process: milliseconds to open, anonymous MiB after a condition."""
    catalog = Catalog(folder)
    with catalog.reader() as reader:
        before = anonymous_mib()
        live = LiveTable()
        spent = took_ms(live.at, reader)
        table = live.at(reader)
    if table is None or not table.has("price"):
        raise SystemExit("the attributes were not read")
    results.put((spent, anonymous_mib() - before))


def in_new_process(folder: Path) -> tuple[float, float]:
    """Returns milliseconds and MiB of `opening`."""
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[tuple[float, float]] = context.Queue()
    process = context.Process(target=opening, args=(folder, results))
    process.start()
    found = results.get()
    process.join()
    return found


def measure(catalog: Catalog, size: int) -> None:
    """Measures one catalogue, and prints the table."""
    path = table_path(catalog.folder)
    base, memory = in_new_process(catalog.folder)

    def show(what: str, spent: float, memory: float | None = None) -> None:
        shared = "" if memory is None else f"{memory:>8.0f} MiB"
        print(f"{what:<40} {spent / 1000:>8.2f} s {spent / base:>7.3f} {shared}", flush=True)

    def write(what: str, function: Callable[[Catalog], None]) -> None:
        show(what, took_ms(function, catalog))

    print(f"\n{size:,} products")
    show("read all products", base, memory)
    write("write the file from all products", renew)
    print(f"{'the file':<40} {path.stat().st_size / 2**20:>8.0f} MiB")
    show("open the file", *in_new_process(catalog.folder))
    for count in CHANGED:
        change(catalog, count, size)
        show(f"open, {count:,} products changed since", *in_new_process(catalog.folder))
        write("  write the file again", update)


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100_000])
    for size in parser.parse_args().sizes:
        with tempfile.TemporaryDirectory() as folder:
            catalog = Catalog(Path(folder), create=True)
            fill(catalog, size)
            measure(catalog, size)
            catalog.close()


if __name__ == "__main__":
    main()

"""Measures indexing a folder of photos, compared with the bare model and the proof of concept.

    python -m benchmarks.indexing [--photos 1529] [--side 80]

Uses the clothing photos of the test data (IMAGE_SEARCH_TEST_DATA). "the bare model" gets the same
pixels, already decoded, in batches of several sizes. It and `add` to an empty catalogue take
turns, so that other load on the machine affects both; medians are shown. The loop of the proof of
concept (Keras's `load_img`, `model.predict` for each photo, a pickle at the end) runs on the first
photos only. CPU time is of all threads; `add` also reads, decodes and stores.
"""

import argparse
import os
import pickle
import resource
import sys
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.embedding import proof_of_concept
from indexer.config import EmbeddingSettings, FetchSettings
from indexer.embedding import Embedder, load_embedder
from indexer.embedding.base import PixelBatch
from indexer.embedding.photos import prepare
from indexer.feeds import FeedRow, read_feed
from indexer.fetch import PhotoSource
from indexer.images import ImageLimits, read_photo
from indexer.ingest.sync import Indexer
from indexer.store.embedded.catalog import Catalog

ROOT = Path(__file__).parent.parent
DATA = Path(os.environ.get("IMAGE_SEARCH_TEST_DATA", ROOT / "../shared/data")) / "clothing"
BATCHES = (1, 4, 8, 32)
_POC_PHOTOS = 40


def read(count: int, embedder: Embedder) -> tuple[list[FeedRow], PixelBatch]:
    """Returns rows of the folder, and their photos prepared for the model."""
    found = (row for row in read_feed(DATA) if isinstance(row, FeedRow))
    rows = list(islice(found, count))
    limits = ImageLimits()
    files = (Path(row.images[0].location) for row in rows)
    return rows, np.stack([prepare(read_photo(f, limits), limits, embedder.spec) for f in files])


def bare(embedder: Embedder, pixels: PixelBatch, batch: int) -> None:
    """Embeds pixels in batches."""
    for start in range(0, len(pixels), batch):
        embedder.embed_batch(pixels[start : start + batch])


def index(embedder: Embedder, rows: list[FeedRow], folder: Path) -> None:
    """Indexes the rows like `add`, or like `sync` if the catalogue exists."""
    catalog = Catalog(folder, create=True)
    photos = PhotoSource(ImageLimits(), FetchSettings())
    indexer = Indexer(catalog, embedder.spec, lambda: embedder, photos, lambda _: None)
    indexer.sync(lambda: rows)
    catalog.close()


def loop_of_the_proof_of_concept(rows: list[FeedRow], folder: Path) -> Callable[[], None]:
    """Returns the indexing loop of the proof of concept."""
    import keras

    features = proof_of_concept()

    def run() -> None:
        listed = []
        for row in rows:
            image = keras.utils.load_img(row.images[0].location, target_size=(224, 224))
            listed.append(features(np.array(image)[None])[0])
        with (folder / "features.pkl").open("wb") as file:
            pickle.dump(listed, file)

    return run


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=1529, help="number of photos")
    parser.add_argument(
        "--side", type=int, help="of the model's input  [default: that of the weights]"
    )
    parser.add_argument("--turns", type=int, default=3, help="of each row; the median counts")
    options = parser.parse_args()
    if not DATA.is_dir():
        sys.exit(f"no photos at {DATA}; set IMAGE_SEARCH_TEST_DATA")
    embedder = load_embedder(EmbeddingSettings(input_size=options.side or "auto"))
    rows, pixels = read(options.photos, embedder)
    with TemporaryDirectory() as name:
        measure(embedder, rows, pixels, Path(name), options.turns)


def measure(
    embedder: Embedder, rows: list[FeedRow], pixels: PixelBatch, folder: Path, turns: int
) -> None:
    """Measures all rows in turn, and prints the table."""
    works: dict[str, Callable[[int], None]] = {
        f"the bare model, {batch} at a time": lambda _, batch=batch: bare(  # type: ignore[misc]
            embedder, pixels, batch
        )
        for batch in BATCHES
    }
    works["add into an empty catalogue"] = lambda turn: index(embedder, rows, folder / str(turn))
    works["sync, nothing new"] = lambda turn: index(embedder, rows, folder / str(turn))
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    index(embedder, rows, folder / "first")  # before the larger batches, which take more memory
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    for turn in range(turns):
        for name, work in works.items():
            times[name].append(timed(lambda work=work, turn=turn: work(turn), len(rows)))  # type: ignore[misc]
    few = rows[:_POC_PHOTOS]
    peer = loop_of_the_proof_of_concept(few, folder)
    times["proof of concept's loop, side 224"] = [timed(peer, len(few)) for _ in range(2)][1:]

    best = min(median(wall for wall, _ in times[name]) for name in times if "bare" in name)
    print(f"{len(rows)} photos at side {embedder.spec.input_size}")
    print(f"{'':<36} {'images/s':>9} {'of the bare model':>18} {'CPU ms/image':>13}")
    for name, taken in times.items():
        wall, cpu = (median(column) for column in zip(*taken, strict=True))
        print(f"{name:<36} {1 / wall:>9.1f} {best / wall:>18.2f} {cpu * 1e3:>13.2f}")
    print(f"peak memory of the process after `add`: {peak:.0f} MiB")


def timed(work: Callable[[], None], photos: int) -> tuple[float, float]:
    """Returns wall and CPU seconds per photo."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return (time.perf_counter() - wall) / photos, (time.process_time() - cpu) / photos


if __name__ == "__main__":
    main()

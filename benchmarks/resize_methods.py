"""Measures how often the most similar photo has the same category, for each resize method.

    python -m benchmarks.resize_methods

Leave-one-out over the clothing photos of the test data (IMAGE_SEARCH_TEST_DATA) with the
default weights; exact copies of the query are excluded.
"""

import csv
import hashlib
import os
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from indexer.arrays import batched
from indexer.config import EmbeddingSettings
from indexer.embedding import Embedder, load_embedder
from indexer.embedding.resize import ResizeMethod
from indexer.images import decode

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("IMAGE_SEARCH_TEST_DATA", ROOT / "../shared/data")) / "clothing"
BATCH = 16


def share_right(folder: Path, embedder: Embedder) -> float:
    """Returns the share of photos in `labels.csv` whose nearest other photo has their category."""
    with (folder / "labels.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    categories = np.array([row["category"] for row in rows])
    photos = [(folder / row["image"]).read_bytes() for row in rows]
    hashes = np.array([hashlib.sha256(photo).hexdigest() for photo in photos])
    vectors = np.concatenate(
        [embedder.embed([decode(photo) for photo in batch]) for batch in batched(photos, BATCH)]
    )
    scores = vectors @ vectors.T
    scores[hashes[:, None] == hashes] = -np.inf
    right: NDArray[np.bool_] = categories[scores.argmax(axis=1)] == categories
    return float(right.mean())


def main() -> None:
    """Runs the benchmark."""
    measured = {
        method: share_right(DATA, load_embedder(EmbeddingSettings(resize=method)))
        for method in get_args(ResizeMethod)
    }
    print(f"{'resize':<12} {'nearest right':>14} {'to bilinear':>12}")
    for method, share in sorted(measured.items(), key=lambda item: -item[1]):
        print(f"{method:<12} {share:>14.3f} {share / measured['bilinear']:>12.2f}")


if __name__ == "__main__":
    main()

"""How often the most similar photo shows the same category, by way of resizing.

    python -m benchmarks.resize_methods

Leave-one-out over the clothing photos of the test data (IMAGE_SEARCH_TEST_DATA) with the
default weights; copies of the query, byte for byte, do not count as neighbours.
"""

import csv
import hashlib
import os
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from indexer.arrays import Vectors
from indexer.config import EmbeddingSettings
from indexer.embedding import Embedder, load_embedder
from indexer.embedding.resize import ResizeMethod

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("IMAGE_SEARCH_TEST_DATA", ROOT / "../shared/data")) / "clothing"
BATCH = 16


def embedded(files: list[Path], embedder: Embedder) -> Vectors:
    """The vectors of photos on disk, float32 (n, 512)."""
    batches = [files[start : start + BATCH] for start in range(0, len(files), BATCH)]
    return np.concatenate(
        [embedder.embed([Image.open(file).convert("RGB") for file in batch]) for batch in batches]
    )


def precision_at_1(
    vectors: Vectors, categories: NDArray[np.str_], hashes: NDArray[np.str_]
) -> float:
    """Share of the photos whose nearest other photo is of their category."""
    scores = vectors @ vectors.T
    scores[hashes[:, None] == hashes] = -np.inf
    right: NDArray[np.bool_] = categories[scores.argmax(axis=1)] == categories
    return float(right.mean())


def main() -> None:
    with (DATA / "labels.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    files = [DATA / row["image"] for row in rows]
    categories = np.array([row["category"] for row in rows])
    hashes = np.array([hashlib.sha256(file.read_bytes()).hexdigest() for file in files])

    measured = {}
    for method in get_args(ResizeMethod):
        embedder = load_embedder(EmbeddingSettings(resize=method))
        measured[method] = precision_at_1(embedded(files, embedder), categories, hashes)
    base = measured["bilinear"]
    print(f"{len(files)} photos, {len(set(categories))} categories")
    print(f"{'resize':<12} {'nearest right':>14} {'to bilinear':>12}")
    for method, share in sorted(measured.items(), key=lambda item: -item[1]):
        print(f"{method:<12} {share:>14.3f} {share / base:>12.2f}")


if __name__ == "__main__":
    main()

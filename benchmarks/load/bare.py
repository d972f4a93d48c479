"""Measures embedding without a service, one photo at a time: `python -m benchmarks.load.bare 5`.

Prints photos per second. Uses the settings in the environment, like the service.
"""

import sys
import time

import numpy as np

from indexer.config import load_settings
from indexer.embedding import load_embedder


def main() -> None:
    """Prints the rate."""
    embedder = load_embedder(load_settings().embedding)
    side = embedder.spec.input_size
    photos = np.random.default_rng(0).integers(0, 256, (16, 1, side, side, 3), np.uint8)
    seconds, count, start = float(sys.argv[1]), 0, time.monotonic()
    while time.monotonic() < start + seconds:
        embedder.embed_batch(photos[count % len(photos)])
        count += 1
    print(count / (time.monotonic() - start))


if __name__ == "__main__":
    main()

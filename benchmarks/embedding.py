"""How long one photo takes: ours against `model.predict` of the proof of concept.

    python -m benchmarks.embedding [--runs 15]

All rows are measured in turns in one run, so that whatever else the machine does meets all
of them; trust the ratios.
"""

import argparse
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

from indexer.config import EmbeddingSettings
from indexer.embedding import Embedder, load_embedder
from indexer.embedding.base import Photos
from indexer.embedding.precision import resolve_precision


def proof_of_concept() -> Callable[[Photos], Any]:
    """Keras's model as the proof of concept calls it; random weights cost the same."""
    import keras

    vgg16 = keras.applications.vgg16
    model = vgg16.VGG16(weights=None, include_top=False, pooling="avg", input_shape=(224, 224, 3))
    return lambda images: model.predict(
        vgg16.preprocess_input(images.astype(np.float32)), verbose=0
    )


def embedder(**settings: Any) -> Embedder:
    return load_embedder(EmbeddingSettings(**settings))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15, help="of each row; the median counts")
    runs = parser.parse_args().runs

    ours = embedder(weights="untrained")
    fashion = embedder()
    precision = resolve_precision("auto")
    rows: dict[str, tuple[Callable[[Photos], Any], int]] = {
        "model.predict, float32, side 224": (proof_of_concept(), 224),
        "compiled, float32, side 224": (
            embedder(weights="untrained", precision="float32").embed_batch,
            224,
        ),
        f"default: compiled, {precision}, side 224": (ours.embed_batch, 224),
        f"fashion: compiled, {precision}, side 80": (fashion.embed_batch, 80),
    }
    random = np.random.RandomState(0)
    times: dict[str, list[float]] = {name: [] for name in rows}
    for turn in range(runs + 2):
        for name, (compute, side) in rows.items():
            photo = random.randint(0, 256, (1, side, side, 3)).astype(np.uint8)
            start = time.perf_counter()
            compute(photo)
            if turn >= 2:  # the first two warm up
                times[name].append(time.perf_counter() - start)

    base = median(next(iter(times.values())))
    print(f"{'one photo':<42} {'ms':>8} {'times faster':>13}")
    for name, seconds in times.items():
        print(f"{name:<42} {median(seconds) * 1e3:>8.1f} {base / median(seconds):>13.1f}")


if __name__ == "__main__":
    main()

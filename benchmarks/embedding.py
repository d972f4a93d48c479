"""Measures embedding one photo, compared with the proof of concept and the processor's limit.

    python -m benchmarks.embedding [--runs 15]

All rows are measured in turns in one run, so that other load on the machine affects all of them;
the ratios are reliable. "of limit" is the time that the arithmetic of the convolutions would take
at the rate of the fastest large matrix product in the same precision, divided by the measured
time, both at their minimum. Vectors are compared with those of float32 on the photos of
IMAGE_SEARCH_TEST_DATA.
"""

import argparse
import csv
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.matrix_products import SIDE, products
from indexer.config import EmbeddingSettings
from indexer.embedding import Embedder, load_embedder, resolve_spec
from indexer.embedding.base import PixelBatch
from indexer.embedding.calibration import agreement
from indexer.embedding.engines.precision import INT8_FLAGS, cpu_flags, resolve_precision
from indexer.embedding.engines.quantised import quantise, unpack
from indexer.embedding.engines.quiet import import_tensorflow
from indexer.embedding.resize import resize
from indexer.embedding.weights import BLOCKS, KERNEL_SHAPES, load_weights

SIDES = (224, 64)
CALIBRATION = 100


@dataclass
class Row:
    """One row of the table."""

    name: str
    side: int
    precision: str
    compute: Callable[[PixelBatch], Any]
    embedder: Embedder | None


def flops(side: int) -> int:
    """Returns the multiplications and additions of all convolutions for one photo."""
    total = 0
    for block in BLOCKS:
        total += sum(2 * side**2 * int(np.prod(KERNEL_SHAPES[layer])) for layer in block)
        side //= 2
    return total


def proof_of_concept() -> Callable[[PixelBatch], Any]:
    """Returns Keras's model as the proof of concept calls it; random weights are as fast."""
    import_tensorflow()
    import keras

    vgg16 = keras.applications.vgg16
    model = vgg16.VGG16(weights=None, include_top=False, pooling="avg", input_shape=(224, 224, 3))
    return lambda images: model.predict(
        vgg16.preprocess_input(images.astype(np.float32)), verbose=0
    )


def test_photos(side: int, limit: int) -> PixelBatch:
    """Returns photos of clothing in random order; none without test data."""
    folder = Path(os.environ.get("IMAGE_SEARCH_TEST_DATA", "")) / "clothing"
    if not (folder / "labels.csv").is_file():
        return np.empty((0, side, side, 3), np.uint8)
    with (folder / "labels.csv").open() as file:
        names = sorted(row["image"] for row in csv.DictReader(file))
    order = np.random.RandomState(0).permutation(len(names))[:limit]
    pictures = (Image.open(folder / names[number]).convert("RGB") for number in order)
    return np.stack([resize(picture, side, "bilinear") for picture in pictures])


def int8(settings: EmbeddingSettings, photos: PixelBatch) -> Embedder:
    """Returns an int8 model calibrated on `photos`."""
    from indexer.embedding.engines.openvino_engine import OpenVinoEmbedder

    spec = resolve_spec(settings)
    weights = load_weights(spec)
    float32 = OpenVinoEmbedder(spec, weights, "float32")
    seen = [float32.input_max(photo[None]) for photo in photos]
    largest = {layer: max(each[layer] for each in seen) for layer in seen[0]}
    rounded, input_max = unpack(quantise(weights, largest))
    return OpenVinoEmbedder(spec, rounded, resolve_precision("auto"), input_max=input_max)


def rows(calibration: dict[int, PixelBatch]) -> Iterator[Row]:
    """Yields the rows that this machine can measure."""
    yield Row("model.predict", 224, "float32", proof_of_concept(), None)
    half = resolve_precision("auto")
    precisions = ["float32"] if half == "float32" else ["float32", half]
    for side in SIDES:
        for engine in ("tensorflow", "openvino"):
            if find_spec(engine) is None:
                print(f"{engine} is not installed: its rows are skipped")
                continue
            settings = EmbeddingSettings(engine=engine, input_size=side)
            for precision in precisions:
                embedder = load_embedder(settings.model_copy(update={"precision": precision}))
                yield Row(engine, side, precision, embedder.embed_batch, embedder)
            if engine == "openvino" and INT8_FLAGS & cpu_flags():
                embedder = int8(settings, calibration[side])
                yield Row(engine, side, "int8", embedder.embed_batch, embedder)


def agreements(all_rows: list[Row], photos: dict[int, PixelBatch]) -> dict[str, str]:
    """Returns the lowest cosine and the top-10 overlap with TensorFlow's float32, by row."""
    found = {}
    for side in SIDES:
        ours = [row for row in all_rows if row.embedder and row.side == side]
        if not len(photos[side]):
            continue
        vectors = [np.concatenate([r.compute(p[None]) for p in photos[side]]) for r in ours]
        for row, each in zip(ours, vectors, strict=True):
            alike = agreement(each, vectors[0])
            found[_key(row)] = f"{alike.cosine:>9.6f} {alike.overlap:>8.3f}"
    return found


def _key(row: Row) -> str:
    return f"{row.name}, {row.precision}, side {row.side}"


def measure(tasks: dict[str, Callable[[], Any]], runs: int) -> dict[str, list[float]]:
    """Returns the seconds of each task, run in turns; the first two turns are warm-up."""
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for turn in range(runs + 2):
        for name, task in tasks.items():
            start = time.perf_counter()
            task()
            if turn >= 2:
                times[name].append(time.perf_counter() - start)
    return times


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15, help="of each row; the median counts")
    parser.add_argument("--photos", type=int, default=300, help="to compare vectors on")
    arguments = parser.parse_args()

    real = {side: test_photos(side, CALIBRATION + arguments.photos) for side in SIDES}
    random = np.random.RandomState(0)
    noise = {s: random.randint(0, 256, (1, s, s, 3)).astype(np.uint8) for s in SIDES}
    calibration = {
        side: real[side][:CALIBRATION] if len(real[side]) else noise[side] for side in SIDES
    }
    all_rows = list(rows(calibration))
    tasks: dict[str, Callable[[], Any]] = {
        _key(row): partial(row.compute, noise[row.side]) for row in all_rows
    }
    multiply = {", ".join(name): task for name, task in products().items()}
    times = measure(tasks | multiply, arguments.runs)
    alike = agreements(all_rows, {side: real[side][CALIBRATION:] for side in SIDES})

    rate: dict[str, float] = {}
    for name in multiply:
        precision, each = name.split(", ")[1], 2 * SIDE**3 / min(times[name])
        rate[precision] = max(rate.get(precision, 0), each)
    for precision, each in rate.items():
        print(f"matrix product, {precision}: {each / 1e9:,.0f} GFLOP/s")
    base = median(next(iter(times.values())))
    print(f"one photo: {', '.join(f'{flops(s) / 1e9:.2f} GFLOP at side {s}' for s in SIDES)}")
    print(f"{'':<36} {'ms':>7} {'faster':>7} {'of limit':>8} {'cosine':>9} {'overlap':>8}")
    for row in all_rows:
        seconds = median(times[_key(row)])
        limit = flops(row.side) / rate[row.precision] / min(times[_key(row)])
        print(
            f"{_key(row):<36} {seconds * 1e3:>7.1f} {base / seconds:>7.1f} {limit:>8.2f}"
            f" {alike.get(_key(row), '')}"
        )


if __name__ == "__main__":
    main()

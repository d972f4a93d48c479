"""Measures embedding one photo by each model on one core, compared with VGG16 at side 224.

    python -m benchmarks.models [--engine openvino] [--runs 15] [MODEL...]

Processor time is measured, and each model in turns with VGG16, so that other load on the machine
matters little; the ratios are reliable. Weights are untrained, which are as fast as any. "cosine"
is the lowest between vectors in the chosen precision and in float32, on pictures of random patches.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import numpy as np

from indexer.config import EmbeddingSettings
from indexer.embedding import Embedder, load_embedder
from indexer.embedding.engines.precision import test_pictures
from indexer.embedding.models import vgg16
from indexer.embedding.models.applications import APPLICATIONS

VGG16 = EmbeddingSettings(weights="untrained", input_size=224)


def in_turns(tasks: list[Callable[[], Any]], runs: int) -> list[float]:
    """Returns the median processor time of each task in seconds, after two turns of warm-up."""
    times: list[list[float]] = [[] for _ in tasks]
    for turn in range(runs + 2):
        for task, each in zip(tasks, times, strict=True):
            start = time.process_time()
            task()
            if turn >= 2:
                each.append(time.process_time() - start)
    return [median(each) for each in times]


def pass_of(embedder: Embedder) -> Callable[[], Any]:
    """Returns a task that embeds one photo."""
    side = embedder.spec.input_size
    photo = np.random.RandomState(0).randint(0, 256, (1, side, side, 3)).astype(np.uint8)
    return partial(embedder.embed_batch, photo)


def cosine(embedder: Embedder, settings: EmbeddingSettings) -> float:
    """Returns the lowest cosine between the vectors of a model and those in float32."""
    exact = load_embedder(settings.model_copy(update={"precision": "float32"}), threads=1)
    pictures = test_pictures(embedder.spec.input_size)
    return float((embedder.embed_batch(pictures) * exact.embed_batch(pictures)).sum(axis=1).min())


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=["auto", "openvino", "tensorflow"], default="auto")
    parser.add_argument("--runs", type=int, default=15, help="of each model; the median counts")
    parser.add_argument("models", nargs="*", default=[*vgg16.MODELS[1:], *APPLICATIONS])
    options = parser.parse_args()

    reference = load_embedder(VGG16.model_copy(update={"engine": options.engine}), threads=1)
    print(
        f"{'':<20} {'side':>4} {'values':>6} {'ms':>6} {'of vgg16':>8} {'load s':>6} {'cosine':>8}"
    )
    for name in options.models:
        settings = EmbeddingSettings(model=name, weights="untrained", engine=options.engine)
        start = time.process_time()
        embedder = load_embedder(settings, threads=1)
        load_s = time.process_time() - start
        own, base = in_turns([pass_of(embedder), pass_of(reference)], options.runs)
        print(
            f"{name:<20} {embedder.spec.input_size:>4} {embedder.dimension:>6} {own * 1e3:>6.1f}"
            f" {own / base:>8.2f} {load_s:>6.1f} {cosine(embedder, settings):>8.6f}"
            f" {embedder.runs_on}; vgg16 {base * 1e3:.1f} ms, {reference.runs_on}",
            flush=True,
        )


if __name__ == "__main__":
    main()

"""Measures `box=auto` on small products in cluttered photos, and on photos filled by a product.

    python -m benchmarks.box_auto [--photos N]

Leave-one-out over the clothing photos of the test data (IMAGE_SEARCH_TEST_DATA) with the default
weights: is the nearest photo of the catalogue of the same category? Exact copies of the query are
excluded from the neighbours and from the vectors that locate the product.

The photos of half of the senders were used for tuning; they are measured only unchanged, in a
separate row. Each of the other photos is also reduced (25 to 45 % of the longest side, seeded)
and placed in a corner of one of three backgrounds: drawn shapes, a patchwork of corners of other
photos, or a part of one of scikit-learn's two sample photographs.
"""

import argparse
import csv
import hashlib
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

import numpy as np
from PIL import Image, ImageDraw
from sklearn.datasets import load_sample_images

from benchmarks.resize_methods import BATCH, DATA
from indexer.arrays import Vectors, batched
from indexer.config import EmbeddingSettings
from indexer.embedding import Embedder, load_embedder
from indexer.embedding.regions import SAMPLE, iou, locate
from indexer.images import Box, crop, decode

Random = np.random.Generator
CANVAS = (480, 640)
PATCH = 160
WHOLE: Box = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True)
class Photo:
    """A labelled photo of the test data."""

    image: Image.Image
    category: str
    sender: str
    sha256: str

    @property
    def was_tuned_on(self) -> bool:
        """Whether the parameters of `box=auto` were tuned on this photo."""
        return _number("half", self.sender) % 2 == 0


def read_photos(folder: Path) -> list[Photo]:
    """Reads the photos of a folder and their labels."""
    with (folder / "labels.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    files = [(folder / row["image"]).read_bytes() for row in rows]
    return [
        Photo(decode(data), row["category"], row["sender"], hashlib.sha256(data).hexdigest())
        for row, data in zip(rows, files, strict=True)
    ]


def _number(*parts: str) -> int:
    return int.from_bytes(hashlib.sha256("/".join(parts).encode()).digest()[:8], "little")


def drawn(random: Random, _: Sequence[Photo]) -> Image.Image:
    """Returns a background of random shapes."""
    colours = random.integers(0, 256, (*random.integers(2, 6, 2), 3)).astype(np.uint8)
    canvas = Image.fromarray(colours).resize(CANVAS, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(canvas)
    for _shape in range(int(random.integers(30, 70))):
        x, y = (int(random.integers(-40, side)) for side in CANVAS)
        a, b = (int(length) for length in random.integers(8, 180, 2))
        fill = tuple(int(value) for value in random.integers(0, 256, 3))
        match int(random.integers(5)):
            case 0:
                draw.rectangle((x, y, x + a, y + b), fill)
            case 1:
                draw.ellipse((x, y, x + a, y + b), fill)
            case 2:
                end = (x + 4 * a - 300, y + 4 * b - 300)
                draw.line((x, y, *end), fill, int(random.integers(1, 12)))
            case 3:
                for step in range(0, a, 10):
                    draw.line((x + step, y, x + step, y + b), fill, 4)
            case _:
                corners = random.integers(-90, 90, (5, 2)) + np.array([x, y])
                draw.polygon([(int(p), int(q)) for p, q in corners], fill)
    noisy = np.asarray(canvas) + random.normal(0, 8, (CANVAS[1], CANVAS[0], 1))
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def patchwork(random: Random, others: Sequence[Photo]) -> Image.Image:
    """Returns a background of corners of other photos."""
    canvas = Image.new("RGB", CANVAS)
    for top in range(0, CANVAS[1], PATCH):
        for left in range(0, CANVAS[0], PATCH):
            image = others[int(random.integers(len(others)))].image
            width, height = image.width // 5, image.height // 5
            x = int(random.integers(2)) * (image.width - width)
            y = int(random.integers(2)) * (image.height - height)
            patch = image.crop((x, y, x + width, y + height))
            patch = patch.resize((PATCH, PATCH), Image.Resampling.BICUBIC)
            canvas.paste(patch.rotate(90 * int(random.integers(4))), (left, top))
    return canvas


def photograph(random: Random, _: Sequence[Photo]) -> Image.Image:
    """Returns a background cut from a sample photograph."""
    photographs = load_sample_images().images
    source = Image.fromarray(photographs[int(random.integers(len(photographs)))])
    height = int(source.height * random.uniform(0.35, 0.75))
    width = int(height * CANVAS[0] / CANVAS[1])
    x = int(random.integers(source.width - width))
    y = int(random.integers(source.height - height))
    part = source.crop((x, y, x + width, y + height)).resize(CANVAS, Image.Resampling.BICUBIC)
    return part.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if random.integers(2) else part


BACKGROUNDS: list[Callable[[Random, Sequence[Photo]], Image.Image]] = [
    drawn,
    patchwork,
    photograph,
]


def placed(image: Image.Image, background: Image.Image, random: Random) -> tuple[Image.Image, Box]:
    """Places the reduced photo in a corner of the background; returns the picture and its box."""
    width, height = background.size
    scale = random.uniform(0.25, 0.45) * max(CANVAS) / max(image.size)
    size = round(image.width * scale), round(image.height * scale)
    right, low = random.integers(2, size=2)
    margin_x, margin_y = (int(random.uniform(0, 0.08) * side) for side in CANVAS)
    x = max(0, width - size[0] - margin_x if right else margin_x)
    y = max(0, height - size[1] - margin_y if low else margin_y)
    background.paste(image.resize(size, Image.Resampling.LANCZOS), (x, y))
    return background, (x / width, y / height, (x + size[0]) / width, (y + size[1]) / height)


class Measure:
    """Searches with whole photos and with `box=auto`, and keeps the results by set of photos."""

    def __init__(self, photos: Sequence[Photo], embedder: Embedder) -> None:
        self._embedder = embedder
        self._categories = np.array([photo.category for photo in photos])
        self._hashes = np.array([photo.sha256 for photo in photos])
        self._vectors = np.concatenate(
            [embedder.embed([photo.image for photo in batch]) for batch in batched(photos, BATCH)]
        )
        self.found: dict[str, list[tuple[bool, bool, bool, float, float]]] = defaultdict(list)

    def search(self, name: str, photo: Photo, query: Image.Image, true: Box) -> None:
        """Searches with a photo, and records the results under `name`."""
        others = self._hashes != photo.sha256
        products: Vectors = self._vectors[others]
        start = time.perf_counter()
        box = locate(query, self._embedder, products[:: max(1, len(products) // SAMPLE)])
        ms = 1000 * (time.perf_counter() - start)
        part = query if box is None else crop(query, box)
        nearest = (self._embedder.embed([query, part]) @ products.T).argmax(axis=1)
        whole, auto = self._categories[others][nearest] == photo.category
        overlap = float(iou(np.array(box or WHOLE), np.array([true]))[0])
        self.found[name].append((bool(whole), bool(auto), box is not None, overlap, ms))


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, help="search with the first N only")
    asked = parser.parse_args().photos
    photos = read_photos(DATA)
    measure = Measure(photos, load_embedder(EmbeddingSettings()))
    for number, photo in enumerate(photos[:asked]):
        if photo.was_tuned_on:
            measure.search("as it is, tuned on", photo, photo.image, WHOLE)
            continue
        measure.search("as it is", photo, photo.image, WHOLE)
        make = BACKGROUNDS[number % len(BACKGROUNDS)]
        others = [
            other for other in photos if not other.was_tuned_on and other.sender != photo.sender
        ]
        random = np.random.default_rng(_number(make.__name__, photo.sha256))
        scene, true = placed(photo.image, make(random, others), random)
        measure.search(f"in a corner, {make.__name__}", photo, scene, true)

    print(f"{'photo':<26} {'n':>5} {'whole':>6} {'auto':>6} {'cut':>6} {'IoU':>6} {'ms':>6}")
    for name, rows in sorted(measure.found.items()):
        whole, auto, cut, overlap, ms = zip(*rows, strict=True)
        print(
            f"{name:<26} {len(rows):>5} {mean(whole):>6.3f} {mean(auto):>6.3f} {mean(cut):>6.2f}"
            f" {mean(overlap):>6.2f} {median(ms):>6.0f}"
        )


if __name__ == "__main__":
    main()

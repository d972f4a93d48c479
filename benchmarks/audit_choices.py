"""Compares ways of finding wrong labels, blurred photos and copies: the choices of `audit`.

    python -m benchmarks.audit_choices

The photos of clothing and footwear of the test data (IMAGE_SEARCH_TEST_DATA), with the default
weights. Labels of 3 % of the clothing photos are swapped, with ten seeds.
"""

import io
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter
from sklearn.metrics import average_precision_score

from benchmarks.audit import products
from indexer.arrays import Ids, Vectors, batched
from indexer.audit.copies import MAX_BITS, SAME, SIMILAR
from indexer.audit.quality import MAX_BLUR, look
from indexer.config import EmbeddingSettings
from indexer.embedding import Embedder, load_embedder
from indexer.embedding.photos import prepare
from indexer.images import ImageLimits

Values = NDArray[np.float64]
K = 10
LIMITS = ImageLimits()


class Rule(NamedTuple):
    """Which pairs count as copies."""

    cosine: float
    bits: int

    @property
    def name(self) -> str:
        """What the table calls it."""
        return f"cosine {self.cosine}" + (f", {self.bits} bits" if self.bits < 63 else "")

    def met(self, cosines: Values, bits: Ids) -> NDArray[np.bool_]:
        """Returns which pairs meet it."""
        return (cosines >= self.cosine) & (bits <= self.bits)


RULES = (Rule(0.99, 63), Rule(SAME, 63), Rule(SIMILAR, 10), Rule(SIMILAR, MAX_BITS))


def embedded(embedder: Embedder, photos: list[bytes]) -> Vectors:
    """Returns the vectors of photos."""
    pixels = (prepare(photo, LIMITS, embedder.spec) for photo in photos)
    return np.concatenate([embedder.embed_batch(np.stack(each)) for each in batched(pixels, 32)])


def jpeg(image: Image.Image, quality: int = 88) -> bytes:
    """Returns the file of a picture."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


def shares(scores: Values, labels: Ids, number: int) -> Values:
    """Returns the share of each label among the `K` nearest: (n, labels)."""
    near = labels[np.argsort(-scores, axis=1)[:, :K]]
    return np.stack([(near == label).mean(axis=1) for label in range(number)], axis=1)


def suspicions(scores: Values, labels: Ids, number: int) -> dict[str, Values]:
    """Returns how suspicious each label is, by several methods."""
    rows = np.arange(len(labels))
    votes = shares(scores, labels, number)
    own_votes = votes[rows, labels]
    typical = np.array([own_votes[labels == label].mean() for label in range(number)])
    near = np.stack(
        [
            np.sort(scores[:, labels == label], axis=1)[:, -5:].mean(axis=1)
            for label in range(number)
        ],
        axis=1,
    )
    own = near[rows, labels].copy()
    others = votes - typical
    others[rows, labels] = near[rows, labels] = -np.inf
    return {
        "share of the 10 nearest with another label": 1 - own_votes,
        "confident learning, 10 nearest": others.max(axis=1) - (own_votes - typical[labels]),
        "difference of similarity (audit)": near.max(axis=1) - own,
    }


def labels(vectors: Vectors, categories: list[str]) -> None:
    """Prints how well the methods rank swapped labels."""
    names, truth = np.unique(categories, return_inverse=True)
    scores = (vectors @ vectors.T).astype(np.float64)
    np.fill_diagonal(scores, -1)
    found: dict[str, list[float]] = {}
    for seed in range(10):
        random = np.random.RandomState(seed)
        swapped = random.permutation(len(truth))[: int(0.03 * len(truth))]
        given = truth.copy()
        given[swapped] += random.randint(1, len(names), len(swapped))
        given %= len(names)
        for method, suspicion in suspicions(scores, given, len(names)).items():
            is_swapped = np.isin(np.arange(len(truth)), swapped)
            found.setdefault(method, []).append(average_precision_score(is_swapped, suspicion))
    print(f"{'swapped labels':<44} {'average precision':>18}")
    for method, values in found.items():
        print(f"{method:<44} {np.mean(values):>18.3f}")


def laplacian(photo: bytes) -> float:
    """Returns the variance of the Laplacian, negated, at the size at which `blur` is measured."""
    image = Image.open(io.BytesIO(photo)).convert("L")
    image.thumbnail((256, 256), Image.Resampling.BOX)
    grey = np.asarray(image, np.float64)
    inner = -4 * grey[1:-1, 1:-1]
    inner += grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    return -float(inner.var())


def shaken(image: Image.Image) -> Image.Image:
    """Returns a picture moved by 3 % of its longer side during the exposure."""
    pixels, length = np.asarray(image, np.float32), max(3, round(0.03 * max(image.size)))
    moved = [np.roll(pixels, shift, axis=1) for shift in range(length)]
    return Image.fromarray(np.mean(moved, axis=0).astype(np.uint8))


def enlarged(image: Image.Image) -> Image.Image:
    """Returns a picture that was reduced to 64 pixels before."""
    return image.resize((64, 64 * image.height // image.width)).resize(image.size)


def blurred(paths: list[Path]) -> None:
    """Prints the share of bad copies found, where 1 % of the photos themselves are."""
    edits: dict[str, Callable[[Image.Image], Image.Image]] = {
        f"Gaussian, radius {share:.1%} of the longer side": lambda image, share=share: image.filter(  # type: ignore[misc]
            ImageFilter.GaussianBlur(share * max(image.size))
        )
        for share in (0.005, 0.008, 0.012)
    }
    edits |= {"moved by 3 %": shaken, "enlarged from 64 pixels": enlarged}
    images = [Image.open(path).convert("RGB") for path in paths]
    measures: dict[str, Callable[[bytes], float]] = {
        "variance of the Laplacian": laplacian,
        "blur effect (audit)": lambda photo: look(photo, LIMITS).blur,
    }
    plain = {
        name: [measure(path.read_bytes()) for path in paths] for name, measure in measures.items()
    }
    wrong = np.mean(np.array(plain["blur effect (audit)"]) > MAX_BLUR)
    print(f"\nphotos above {MAX_BLUR}: {wrong:.4f} of {len(paths)}")
    print(f"{'blurred copies':<44}", *(f"{name:>26}" for name in measures), f"{MAX_BLUR:>6}")
    for edit, apply in edits.items():
        copies = [jpeg(apply(image)) for image in images]
        values = {name: np.array([m(copy) for copy in copies]) for name, m in measures.items()}
        cells = [
            f"{np.mean(each > np.quantile(plain[name], 0.99)):>26.3f}"
            for name, each in values.items()
        ]
        fixed = np.mean(values["blur effect (audit)"] > MAX_BLUR)
        print(f"{edit:<44}", *cells, f"{fixed:>6.3f}")


def copies(embedder: Embedder, vectors: Vectors, paths: list[Path]) -> None:
    """Prints the share of edited copies found, and the number of pairs that are no copies."""
    edits: dict[str, Callable[[Image.Image], bytes]] = {
        "JPEG 60": lambda image: jpeg(image, 60),
        "half size": lambda image: jpeg(image.resize((image.width // 2, image.height // 2)), 60),
        "2 % cropped on each side": lambda i: jpeg(
            i.crop((i.width // 50, i.height // 50, i.width * 49 // 50, i.height * 49 // 50))
        ),
        "25 % brighter": lambda image: jpeg(ImageEnhance.Brightness(image).enhance(1.25)),
        "20 % more contrast": lambda image: jpeg(ImageEnhance.Contrast(image).enhance(1.2)),
    }
    hashes = [look(path.read_bytes(), LIMITS).hash for path in paths]
    print(f"\n{'copies found':<26}", *(f"{rule.name:>22}" for rule in RULES))
    chosen = np.random.RandomState(0).permutation(len(paths))[:300].tolist()
    for edit, apply in edits.items():
        files = [apply(Image.open(paths[number]).convert("RGB")) for number in chosen]
        cosines = (embedded(embedder, files) * vectors[chosen]).sum(axis=1)
        bits = np.array(
            [
                (look(file, LIMITS).hash ^ hashes[number]).bit_count()
                for file, number in zip(files, chosen, strict=True)
            ]
        )
        print(f"{edit:<26}", *(f"{rule.met(cosines, bits).mean():>22.3f}" for rule in RULES))
    first, second = np.nonzero(np.triu(vectors @ vectors.T, 1) >= 0.98)
    cosines = (vectors[first] * vectors[second]).sum(axis=1)
    bits = np.array(
        [
            (hashes[one] ^ hashes[other]).bit_count()
            for one, other in zip(first.tolist(), second.tolist(), strict=True)
        ]
    )
    total = len(paths) * (len(paths) - 1) // 2
    print(
        f"{f'of {total:,} other pairs':<26}",
        *(f"{rule.met(cosines, bits).sum():>22}" for rule in RULES),
    )


def main() -> None:
    """Runs the comparisons."""
    shop = products()
    paths = [path for path, _ in shop.values()]
    categories = [category for _, category in shop.values()]
    embedder = load_embedder(EmbeddingSettings())
    vectors = embedded(embedder, [path.read_bytes() for path in paths])
    is_clothing = np.array(categories) != "Footwear"
    labels(vectors[is_clothing], [each for each in categories if each != "Footwear"])
    blurred(paths)
    copies(embedder, vectors, paths)


if __name__ == "__main__":
    main()

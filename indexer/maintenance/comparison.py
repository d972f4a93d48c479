"""Compares two stores of a collection: numbers, sampled products and sampled searches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from random import Random

import numpy as np

from indexer.arrays import Vectors
from indexer.store import Candidates, Product, Reader, SearchReader, Store, outcome

_SAMPLE = 100  # products
_TOP = 10
_TOLERANCE = 1e-3  # of scores
# Below this mean overlap the searches differ. Both indexes may be approximate.
_LEAST_OVERLAP = 0.95


@dataclass(frozen=True)
class Comparison:
    """The result of a comparison.

    Attributes:
        searches: number of searches, each by a photo of a sampled product.
        overlap: mean fraction of the first 10 images of one store that the other one finds.
        findings: a line for each difference.
    """

    searches: int
    overlap: float
    findings: list[str]


def compare(source: Store, destination: Store, *, seed: int = 0) -> Comparison:
    """Compares the numbers of two stores, and 100 products with their vectors and neighbours.

    Raises:
        CatalogError: one of them cannot be read, or is damaged.
    """
    with (
        source.search_reader(attributes=False) as ours,
        destination.search_reader(attributes=False) as theirs,
    ):
        a, b = ours.reader, theirs.reader
        findings = list(_different_kinds(a, b))
        sample = _sample(a, Random(seed))  # noqa: S311
        pairs, different = _in_both(b, sample)
        findings += different
        overlaps = []
        for name, vector, found in _different_vectors(a, b, pairs):
            findings += found
            overlap, found = _different_searches(ours, theirs, name, vector)
            findings += found
            overlaps.append(overlap)
    mean = float(np.mean(overlaps)) if overlaps else 1.0
    if mean < _LEAST_OVERLAP:
        findings.append(
            f"searches find {mean:.1%} of each other's first {_TOP} images, expected"
            f" {_LEAST_OVERLAP:.0%}"
        )
    return Comparison(len(overlaps), mean, findings)


def _different_kinds(a: Reader, b: Reader) -> Iterator[str]:
    pairs = (
        ("products", a.counts()[0], b.counts()[0]),
        ("images", a.counts()[1], b.counts()[1]),
        ("fingerprint", a.fingerprint, b.fingerprint),
        ("weights", a.weights, b.weights),
        ("dimension", a.dimension, b.dimension),
    )
    for what, ours, theirs in pairs:
        if ours != theirs:
            yield f"{what}: the source has {ours}, the destination {theirs}"


def _sample(reader: Reader, random: Random) -> dict[str, Product]:
    count = reader.counts()[0]
    chosen = sorted(random.sample(range(count), min(_SAMPLE, count)))
    ids, next_number = reader.product_ids(), 0
    sample: list[str] = []
    for number in chosen:
        sample += islice(ids, number - next_number, number - next_number + 1)
        next_number = number + 1
    return reader.products(sample)


def _in_both(
    b: Reader, sample: dict[str, Product]
) -> tuple[list[tuple[Product, Product]], list[str]]:
    """Returns the sampled products as both have them, and differences."""
    stored = b.products(sample)
    findings = []
    for product_id, product in sample.items():
        match outcome(product, stored.get(product_id)):
            case "added":
                findings.append(f"product {product_id!r} is missing in the destination")
            case "updated":
                findings.append(f"product {product_id!r} has other attributes or photos")
    pairs = [(p, stored[p.product_id]) for p in sample.values() if p.product_id in stored]
    return pairs, findings


def _different_vectors(
    a: Reader, b: Reader, products: Sequence[tuple[Product, Product]]
) -> Iterator[tuple[str, Vectors, list[str]]]:
    """Yields product id and vector (1, d) of the first photo of each product, and differences."""
    ours = _first_vectors(a, [product for product, _ in products])
    theirs = _first_vectors(b, [product for _, product in products])
    for (product, _), vector, other in zip(products, ours, theirs, strict=True):
        found = (
            []
            if np.allclose(vector, other, atol=1e-6)
            else [f"product {product.product_id!r} has another vector"]
        )
        yield product.product_id, vector[np.newaxis], found


def _first_vectors(reader: Reader, products: Sequence[Product]) -> Vectors:
    wanted = np.array([product.images[0].image_id for product in products], np.int64)
    ids, vectors = reader.vectors(wanted)
    return vectors[ids.searchsorted(wanted)]


def _different_searches(
    ours: SearchReader, theirs: SearchReader, product_id: str, query: Vectors
) -> tuple[float, list[str]]:
    """Returns the overlap of the first results of both, and differences of scores."""
    a, b = (each.select().nearest(query, _TOP) for each in (ours, theirs))
    scores_a, scores_b = _best(a), _best(b)
    findings = [
        f"search by {product_id!r}: {name!r} has score {score:.4f} in the source,"
        f" {scores_b[name]:.4f} in the destination"
        for name, score in scores_a.items()
        if name in scores_b and abs(score - scores_b[name]) > _TOLERANCE
    ]
    return min(_found(scores_a, b), _found(scores_b, a)), findings


def _best(candidates: Candidates) -> dict[str, float]:
    """Returns the best score of each product."""
    best: dict[str, float] = {}
    for name, score in zip(candidates.product_ids, candidates.scores.tolist(), strict=True):
        best.setdefault(name, score)
    return best


def _found(scores: dict[str, float], other: Candidates) -> float:
    """Returns the fraction of products that are in other results, or tie with the last of them."""
    if not scores:
        return 1.0
    names = set(other.product_ids)
    is_full = len(other.product_ids) >= _TOP
    last = float(other.scores[-1]) + _TOLERANCE if is_full else -np.inf
    return sum(name in names or score <= last for name, score in scores.items()) / len(scores)

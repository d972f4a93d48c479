"""Vectors for benchmarks: mixtures of real ones, and the right results of searches for them."""

import os
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexer.arrays import Ids, Vector, Vectors, normalised
from indexer.interchange.features import read_features
from indexer.store import NewImage, PutProduct

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("IMAGE_SEARCH_TEST_DATA", ROOT / "../shared/data")) / "footwear"
K = 10
CORNERS, NOISE = 3, 0.02
SELECTIVITIES = (0.001, 0.01, 0.1, 0.5)

Mask = NDArray[np.bool_]
Right = dict[str, list[Ids]]  # by mask: the nearest ids of each query


def real_vectors() -> Vectors:
    """Returns the vectors of real photos, (n, dimension); ends the program if there are none."""
    features = DATA / "feature_vector_store.p"
    if not features.is_file():
        sys.exit(f"no vectors at {features}; set IMAGE_SEARCH_TEST_DATA")
    return normalised(read_features(features))


def mixtures(real: Vectors, count: int, rng: np.random.Generator) -> Vectors:
    """Returns random mixtures of three real vectors each, with noise: (count, dimension)."""
    corners = real[rng.integers(0, len(real), (count, CORNERS))]
    weights = rng.dirichlet(np.ones(CORNERS), count).astype(np.float32)
    noise = NOISE * rng.standard_normal((count, real.shape[1]), dtype=np.float32)
    return normalised(np.einsum("nk,nkd->nd", weights, corners) + noise)


def product(number: int, vector: Vector) -> PutProduct:
    """Returns a product with one image."""
    name = f"{number}.jpg"
    return PutProduct(str(number), {}, (NewImage(name, name, f"made:{number}", vector),))


def masks(images: int) -> dict[str, Mask | None]:
    """Returns masks of random allowed ids by name; None allows all."""
    rng, found = np.random.default_rng(1), dict[str, Mask | None]({"": None})
    for share in SELECTIVITIES:
        mask = rng.random(images + 1) < share
        mask[1 : 1 + K] = True
        found[f" among {share:.1%}"] = mask
    return found


class Truth:
    """The nearest ids of each query for each mask, by comparison with all vectors."""

    def __init__(self, queries: Vectors, images: int) -> None:
        self._queries, self._masks = queries, masks(images)
        worst = np.full((len(queries), K), -2, np.float32)
        self._found = {name: (np.zeros(worst.shape, np.int64), worst) for name in self._masks}

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """Compares the queries with further vectors (n, dimension)."""
        products = self._queries @ vectors.T
        for name, allowed in self._masks.items():
            here = slice(None) if allowed is None else allowed[ids]
            these = np.broadcast_to(ids[here], (len(products), len(ids[here])))
            found = np.hstack([self._found[name][0], these])
            scores = np.hstack([self._found[name][1], products[:, here]])
            best = np.argpartition(-scores, K - 1, axis=1)[:, :K]
            self._found[name] = (
                np.take_along_axis(found, best, 1),
                np.take_along_axis(scores, best, 1),
            )

    def ids(self) -> Right:
        """Returns the right ids of each query for each mask."""
        return {name: list(found) for name, (found, _) in self._found.items()}

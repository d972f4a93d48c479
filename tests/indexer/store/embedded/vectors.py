"""Catalogues of made-up vectors, and what is found in them."""

import numpy as np

from indexer.arrays import Vectors, normalised
from indexer.config import IndexSettings
from indexer.store import NewImage, PutProduct
from indexer.store.embedded.catalog import Catalog
from indexer.store.embedded.index import LiveView, View

DIMENSION = 16
QUERIES = 20
FLAT = IndexSettings(type="flat")


def clustered(count: int, seed: int = 0) -> Vectors:
    """Vectors around 50 centres, so that they have neighbours as photos do."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(0).standard_normal((50, DIMENSION))
    spread = 0.3 * rng.standard_normal((count, DIMENSION))
    return normalised(centres[rng.integers(0, 50, count)] + spread)


def wide(vectors: Vectors, dimension: int = 512) -> Vectors:
    """The same vectors, with the same cosines, in a space of more dimensions."""
    rng = np.random.default_rng(0)
    columns = np.linalg.qr(rng.standard_normal((dimension, vectors.shape[1])))[0]
    return normalised(vectors @ columns.T)


def add(catalog: Catalog, vectors: Vectors, fingerprint: str = "f") -> None:
    """A product of one image for each vector, named as the image id will be."""
    with catalog.writer() as writer:
        writer.bind(fingerprint=fingerprint, weights="w", dimension=vectors.shape[1])
        with catalog.reader() as reader:
            last = reader.end.image_id
        writer.put(
            PutProduct(str(i), {}, (NewImage(f"{i}.jpg", f"{i}.jpg", f"hash {i}", vector),))
            for i, vector in enumerate(vectors, last + 1)
        )


def remove(catalog: Catalog, *image_ids: int) -> None:
    with catalog.writer() as writer:
        writer.remove(str(i) for i in image_ids)


def view_of(catalog: Catalog, live: LiveView) -> View:
    while True:
        with catalog.reader() as reader:
            if (view := live.at(reader)) is not None:
                return view


def exact_view(catalog: Catalog) -> View:
    """What the catalogue holds, without any segment."""
    with catalog.reader() as reader:
        view = View()
        for ids, vectors in reader.all_vectors():
            view = view.advanced(reader.seq, ids, vectors)
    return view


def assert_same_answers(found: View, expected: View, allowed: np.ndarray | None = None) -> None:
    for query in clustered(QUERIES, seed=9):
        ours, theirs = (view.search(query[None], 10, allowed) for view in (found, expected))
        np.testing.assert_array_equal(ours.ids, theirs.ids)
        np.testing.assert_array_equal(ours.scores, theirs.scores)

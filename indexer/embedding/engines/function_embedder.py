"""An embedder around a function from photos to outputs, whatever computes it."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from indexer.arrays import Vectors
from indexer.embedding.base import Cells, Embedder, Maps, PixelBatch, vectors_of
from indexer.embedding.spec import EmbeddingSpec

# Photos, n at least 1 -> float32 outputs: rows (n, d) or maps to be pooled; then the last feature
# maps if the embedder has cells. Thread-safe.
Run = Callable[[PixelBatch], Sequence[NDArray[np.float32]]]


class FunctionEmbedder(Embedder):
    """The first output of a function, normalised to length 1.

    The constructor runs the function once.

    Args:
        spec: the model.
        runs_on: see `Embedder`.
        run: the function, for photos of side `spec.input_size`; with `cells` of any size.
        cells: see `Embedder`.

    Raises:
        WeightsError: the model outputs values that are not finite.
    """

    def __init__(
        self, spec: EmbeddingSpec, runs_on: str, run: Run, cells: Cells | None = None
    ) -> None:
        self.runs_on = runs_on
        self.cells = cells
        self._run = run
        black = np.zeros((1, spec.input_size, spec.input_size, 3), np.uint8)
        (vector,) = vectors_of(run(black)[0], spec)
        self.spec = replace(spec, dimension=len(vector))

    def embed_batch(self, images: PixelBatch) -> Vectors:
        """See `Embedder.embed_batch`."""
        self._check(images)
        if len(images) == 0:
            return np.empty((0, self.dimension), np.float32)
        return vectors_of(self._run(images)[0], self.spec)

    def activations(self, images: PixelBatch) -> Maps:
        """See `Embedder.activations`."""
        self._check_sides(images)
        return self._run(images)[1]

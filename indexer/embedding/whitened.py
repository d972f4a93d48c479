"""A model whose vectors are whitened."""

from indexer.arrays import Vectors
from indexer.embedding.base import Embedder, Maps, Photos, unit_rows
from indexer.embedding.spec import whitened_spec
from indexer.embedding.whitening import Whitening


class WhitenedEmbedder(Embedder):
    """Whitens the vectors of another embedder and normalises them again.

    They are no mean over positions, so `cells` is None.
    """

    def __init__(self, embedder: Embedder, whitening: Whitening) -> None:
        """Raises a WeightsError if the whitening was learned from vectors of another kind."""
        whitening.require_fit(embedder.spec.fingerprint)
        self.spec = whitened_spec(embedder.spec, whitening)
        self.runs_on = embedder.runs_on
        self._embedder = embedder
        self._whitening = whitening

    def embed_batch(self, images: Photos) -> Vectors:
        """Embeds prepared photos; see `Embedder`."""
        return unit_rows(self._whitening(self._embedder.embed_batch(images)))

    def activations(self, images: Photos) -> Maps:
        """Raises an UnsupportedByModelError."""
        self.required_cells()
        return self._embedder.activations(images)

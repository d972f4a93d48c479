"""A model whose vectors go through a linear layer."""

from dataclasses import replace

from indexer.arrays import Vectors
from indexer.embedding.base import Embedder, Maps, PixelBatch
from indexer.embedding.head import Head


class HeadedEmbedder(Embedder):
    """Maps the vectors of another embedder and normalises them again.

    Args:
        embedder: the model up to the pooling.
        head: the linear layer.
    """

    def __init__(self, embedder: Embedder, head: Head) -> None:
        self.spec = replace(embedder.spec, dimension=len(head.bias))
        self.runs_on = embedder.runs_on
        # Of two layers in sequence, the second has no mean over positions as its input.
        self.cells = embedder.cells if embedder.head is None else None
        self.head = head
        self._embedder = embedder

    def embed_batch(self, images: PixelBatch) -> Vectors:
        """Embeds prepared photos; see `Embedder`."""
        return self.projected(self._embedder.embed_batch(images))

    def activations(self, images: PixelBatch) -> Maps:
        """Computes the last feature maps; see `Embedder`."""
        return self._embedder.activations(images)

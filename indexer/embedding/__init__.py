"""A photo becomes a vector of length 1 in which similar products are close.

Importing this package loads no runtime: specs and fingerprints are there at once,
TensorFlow comes with the first `load_embedder`.
"""

from indexer.config import EmbeddingSettings
from indexer.embedding.base import Embedder
from indexer.embedding.spec import EmbeddingSpec, resolve_spec

__all__ = ["Embedder", "EmbeddingSpec", "load_embedder", "resolve_spec"]


def load_embedder(settings: EmbeddingSettings) -> Embedder:
    """The embedder that the settings describe, warm: its first photo is as fast as the next.

    Takes seconds, most of them the runtime's import. Load after a fork, never before.

    Raises:
        WeightsError: the weights cannot be found, fetched, verified or fitted to the network.
        UnsupportedPrecisionError: the processor does not compute in the precision asked for.
    """
    from indexer.embedding.precision import resolve_precision
    from indexer.embedding.weights import load_weights

    spec = resolve_spec(settings)
    precision = resolve_precision(settings.precision)
    weights = load_weights(spec)
    # Last, because the import takes longest: a wrong setting is reported at once.
    from indexer.embedding.tensorflow_engine import TensorFlowEmbedder

    return TensorFlowEmbedder(spec, weights, precision)

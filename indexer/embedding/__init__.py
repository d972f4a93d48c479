"""A photo becomes a vector of length 1 in which similar products are close.

Importing this package loads no runtime: specs and fingerprints are there at once,
OpenVINO or TensorFlow comes with the first `load_embedder`.
"""

from indexer.config import EmbeddingSettings
from indexer.embedding.base import Embedder
from indexer.embedding.engine import available_cores
from indexer.embedding.spec import EmbeddingSpec, resolve_spec

__all__ = ["Embedder", "EmbeddingSpec", "available_cores", "load_embedder", "resolve_spec"]


def load_embedder(settings: EmbeddingSettings, threads: int | None = None) -> Embedder:
    """The embedder that the settings describe, warm: its first photo is as fast as the next.

    Takes seconds, most of them the runtime's import. Load after a fork, never before.

    Args:
        threads: cores to compute on; None takes all that this process may use. TensorFlow has
            one number for all embedders of a process, fixed by the first photo.

    Raises:
        EngineUnavailableError: the engine is not installed, or cannot run these weights.
        WeightsError: the weights cannot be found, fetched, verified or fitted to the network.
        UnsupportedPrecisionError: the processor does not compute in the precision asked for.
    """
    from indexer.embedding.engine import resolve_engine
    from indexer.embedding.precision import check_int8, resolve_precision
    from indexer.embedding.quantised import load_quantised
    from indexer.embedding.weights import load_weights

    spec = resolve_spec(settings)
    engine = resolve_engine(settings.engine, spec)
    precision = resolve_precision(settings.precision)
    input_max = None
    if spec.numeric_class == "int8":
        check_int8()
        weights, input_max = load_quantised(spec)
    else:
        weights = load_weights(spec)
    # Last, because the import takes longest: a wrong setting is reported at once.
    if engine == "openvino":
        from indexer.embedding.openvino_engine import OpenVinoEmbedder

        return OpenVinoEmbedder(spec, weights, precision, threads, input_max)
    from indexer.embedding.tensorflow_engine import TensorFlowEmbedder

    return TensorFlowEmbedder(spec, weights, precision, threads)

"""Photos to unit vectors: similar products have vectors that are close.

Importing this package is cheap. OpenVINO or TensorFlow is imported by the first call of
`load_embedder`.
"""

from indexer.config import EmbeddingSettings
from indexer.embedding.base import Embedder
from indexer.embedding.engine import available_cores
from indexer.embedding.spec import EmbeddingSpec, resolve_spec

__all__ = ["Embedder", "EmbeddingSpec", "available_cores", "load_embedder", "resolve_spec"]


def load_embedder(settings: EmbeddingSettings, threads: int | None = None) -> Embedder:
    """Loads the configured embedder and runs it once, so that the first photo is not slower.

    Takes seconds, mostly for importing the runtime. Call it after forking: the runtimes do not
    survive a fork.

    Args:
        settings: model, weights, input size, resizing, engine and precision.
        threads: cores to compute on; None uses all cores available to this process. TensorFlow
            has one thread count per process, fixed by its first inference.

    Raises:
        EngineUnavailableError: the engine is not installed, or cannot run these weights.
        WeightsError: the weights cannot be found, downloaded or verified, or do not fit the model.
        UnsupportedPrecisionError: the processor does not support the requested precision.
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
    # The slow imports come last, so that an invalid setting is reported at once.
    if engine == "openvino":
        from indexer.embedding.openvino_engine import OpenVinoEmbedder

        return OpenVinoEmbedder(spec, weights, precision, threads, input_max)
    from indexer.embedding.tensorflow_engine import TensorFlowEmbedder

    return TensorFlowEmbedder(spec, weights, precision, threads)

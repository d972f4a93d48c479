"""Photos to unit vectors: similar products have vectors that are close.

Importing this package is cheap. OpenVINO or TensorFlow is imported by the first call of
`load_embedder`.
"""

from indexer.config import EmbeddingSettings
from indexer.embedding.base import Embedder
from indexer.embedding.machine import available_cores, available_memory
from indexer.embedding.models import family_of
from indexer.embedding.spec import EmbeddingSpec, whitened_spec
from indexer.embedding.whitening import read_whitening

__all__ = [
    "Embedder",
    "EmbeddingSpec",
    "available_cores",
    "available_memory",
    "load_embedder",
    "resolve_spec",
]


def resolve_spec(settings: EmbeddingSettings) -> EmbeddingSpec:
    """Returns the spec of the settings. Hashes files; downloads nothing, loads no model.

    Raises:
        ConfigError: there is no such model, or it does not go with the other settings.
        ModelError: a model file cannot be read, or photos cannot be prepared for it.
        WeightsError: `weights` is neither a preset nor a readable file of a known format, or is
            an int8 model that was calibrated for other settings; or `whitening` cannot be read.
    """
    spec = family_of(settings.model).resolve(settings)
    if settings.whitening == "none":
        return spec
    return whitened_spec(spec, read_whitening(settings.whitening))


def load_embedder(settings: EmbeddingSettings, threads: int | None = None) -> Embedder:
    """Loads the configured embedder and runs it once, so that the first photo is not slower.

    Takes seconds, mostly for importing the runtime. Call it after forking: the runtimes do not
    survive a fork.

    Args:
        settings: model, weights, input size, resizing, pooling, whitening, engine and precision.
        threads: cores to compute on; None uses all cores available to this process. TensorFlow
            has one thread count per process, fixed by its first inference.

    Raises:
        ConfigError: there is no such model, or it does not go with the other settings.
        ModelError: a model file cannot be read, or is not a model of photos with one output.
        EngineUnavailableError: the engine is not installed, or cannot run these weights.
        WeightsError: the weights cannot be found, downloaded or verified, or do not fit the model;
            or `whitening` was learned from vectors of other settings.
        UnsupportedPrecisionError: the processor does not support the requested precision.
    """
    family = family_of(settings.model)
    # Before the model, which takes seconds and is loaded again and again if this fails.
    whitening = None if settings.whitening == "none" else read_whitening(settings.whitening)
    embedder = family.load(family.resolve(settings), settings, threads)
    if whitening is None:
        return embedder
    from indexer.embedding.headed import HeadedEmbedder

    whitening.require_fit(embedder.spec.fingerprint)
    whitened = HeadedEmbedder(embedder, whitening.head)
    whitened.spec = whitened_spec(embedder.spec, whitening)
    return whitened

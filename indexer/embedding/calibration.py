"""Calibration: an int8 version of the configured model, and a measurement of its accuracy."""

from dataclasses import dataclass

import numpy as np

from indexer.arrays import Vectors
from indexer.config import EmbeddingSettings
from indexer.embedding.base import PixelBatch
from indexer.embedding.engines.precision import check_int8, resolve_precision
from indexer.embedding.engines.quantised import quantise, unpack
from indexer.embedding.engines.runtime import resolve_engine
from indexer.embedding.int8 import Manifest
from indexer.embedding.models import family_of
from indexer.embedding.spec import EmbeddingSpec
from indexer.embedding.weights import load_head, load_weights
from indexer.errors import ConfigError, WeightsError

NEAREST = 10


@dataclass(frozen=True)
class Agreement:
    """How well two sets of vectors of the same photos agree on the ranking.

    Attributes:
        overlap: share of each photo's ten nearest neighbours that both sets find.
        max_error: largest absolute difference of a score.
        mean_error: mean absolute difference of a score.
        cosine: lowest cosine between the two vectors of one photo.
    """

    overlap: float
    max_error: float
    mean_error: float
    cosine: float


def agreement(vectors: Vectors, reference: Vectors) -> Agreement:
    """Compares `vectors` with `reference`, both of the same photos; more than ten are required."""
    scores, expected = (each @ each.T for each in (vectors, reference))
    errors = np.abs(scores - expected)
    for each in (scores, expected):
        np.fill_diagonal(each, -np.inf)
    found, right = (np.argsort(-each, axis=1)[:, :NEAREST] for each in (scores, expected))
    common = [len(np.intersect1d(*pair)) / NEAREST for pair in zip(found, right, strict=True)]
    return Agreement(
        overlap=float(np.mean(common)),
        max_error=float(errors.max()),
        mean_error=float(errors.mean()),
        cosine=float((vectors * reference).sum(axis=1).min()),
    )


def calibrate(settings: EmbeddingSettings, photos: PixelBatch) -> tuple[Manifest, bytes]:
    """Calibrates an int8 model on one half of `photos` and measures it on the other half.

    Args:
        settings: the model to convert.
        photos: as `Embedder.prepare` returns them, in random order.

    Returns:
        The manifest with the measurements, and the record of weights.

    Raises:
        EngineUnavailableError: OpenVINO is not installed.
        UnsupportedPrecisionError: the processor has no 8-bit arithmetic.
        ConfigError: the model is not `vgg16` with pooling `average`.
        WeightsError: the weights are an int8 model already, or cannot be loaded.
    """
    spec = family_of(settings.model).resolve(settings)
    _require_convertible(spec)
    resolve_engine("openvino", spec)
    check_int8()
    weights = load_weights(spec)
    from indexer.embedding.engines.openvino_engine import OpenVinoEmbedder

    half = len(photos) // 2
    float32 = OpenVinoEmbedder(spec, weights, "float32")
    # One photo at a time: the feature maps of many would fill the memory.
    seen = [float32.input_max(photo[None]) for photo in photos[:half]]
    record = quantise(weights, {layer: max(each[layer] for each in seen) for layer in seen[0]})
    rounded, input_max = unpack(record)
    precision = resolve_precision(settings.precision)
    int8 = OpenVinoEmbedder(spec, rounded, precision, input_max=input_max)
    vectors, reference = (
        np.concatenate([each.embed_batch(photo[None]) for photo in photos[half:]])
        for each in (int8, float32)
    )
    return _manifest(spec, agreement(vectors, reference), len(photos)), record


def _manifest(spec: EmbeddingSpec, measured: Agreement, photos: int) -> Manifest:
    return Manifest(
        model=spec.model,
        source=spec.weights,
        source_sha256=spec.weights_sha256,
        input_size=spec.input_size,
        resize=spec.resize,
        overlap=measured.overlap,
        max_error=measured.max_error,
        mean_error=measured.mean_error,
        photos=photos,
    )


def _require_convertible(spec: EmbeddingSpec) -> None:
    if spec.numeric_class == "int8":
        raise WeightsError(
            f"embedding.weights: received {spec.weights}, which is an int8 model already; set it"
            " to float weights"
        )
    if load_head(spec) is not None:
        raise WeightsError(
            f"embedding.weights: received {spec.weights}, which has a head; `calibrate` converts"
            " weights without one only"
        )
    for key, received, needed in (
        ("model", spec.model, "vgg16"),
        ("pooling", spec.pooling, "average"),
    ):
        if received != needed:
            raise ConfigError(
                f"embedding.{key}: received {received}; `calibrate` converts {needed} only"
            )

"""An int8 model of the configured network, and how far it can be trusted."""

from dataclasses import dataclass

import numpy as np

from indexer.arrays import Vectors
from indexer.config import EmbeddingSettings
from indexer.embedding.base import Photos
from indexer.embedding.engine import resolve_engine
from indexer.embedding.int8 import Manifest
from indexer.embedding.precision import check_int8, resolve_precision
from indexer.embedding.quantised import quantise, unpack
from indexer.embedding.spec import resolve_spec
from indexer.embedding.weights import load_weights
from indexer.errors import WeightsError

NEAREST = 10


@dataclass(frozen=True)
class Agreement:
    """How alike two ways of embedding the same photos rank them.

    Attributes:
        overlap: share of each photo's ten nearest others that both find.
        max_error: largest difference of a score; `mean_error` likewise.
        cosine: lowest of one photo's two vectors.
    """

    overlap: float
    max_error: float
    mean_error: float
    cosine: float


def agreement(vectors: Vectors, reference: Vectors) -> Agreement:
    """How `vectors` agree with those of `reference`; there are more than ten."""
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


def calibrate(settings: EmbeddingSettings, photos: Photos) -> tuple[Manifest, bytes]:
    """An int8 model and what it is worth: made from one half of `photos`, measured on the other.

    Args:
        photos: as `Embedder.prepare` makes them, in random order.

    Raises:
        EngineUnavailableError: OpenVINO is not installed.
        UnsupportedPrecisionError: the processor does not compute in 8 bits.
        WeightsError: the weights are an int8 model already, or cannot be loaded.
    """
    spec = resolve_spec(settings)
    if spec.numeric_class == "int8":
        raise WeightsError(
            f"embedding.weights: received {spec.weights}, which is an int8 model already; set it"
            " to the float weights to calibrate"
        )
    resolve_engine("openvino", spec)
    check_int8()
    weights = load_weights(spec)
    from indexer.embedding.openvino_engine import OpenVinoEmbedder

    half = len(photos) // 2
    float32 = OpenVinoEmbedder(spec, weights, "float32")
    # One by one: maps of many photos at once would fill the memory.
    seen = [float32.input_max(photo[None]) for photo in photos[:half]]
    record = quantise(weights, {layer: max(each[layer] for each in seen) for layer in seen[0]})
    rounded, input_max = unpack(record)
    int8 = OpenVinoEmbedder(
        spec, rounded, resolve_precision(settings.precision), input_max=input_max
    )
    vectors, reference = (
        np.concatenate([each.embed_batch(photo[None]) for photo in photos[half:]])
        for each in (int8, float32)
    )
    measured = agreement(vectors, reference)
    manifest = Manifest(
        model=spec.model,
        source=spec.weights,
        source_sha256=spec.weights_sha256,
        input_size=spec.input_size,
        resize=spec.resize,
        overlap=measured.overlap,
        max_error=measured.max_error,
        mean_error=measured.mean_error,
        photos=len(photos),
    )
    return manifest, record

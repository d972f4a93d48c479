"""VGG16, the default model, built from its weights on either engine.

`vgg16` pools the maps of the convolutions. `vgg16-fc1` and `vgg16-fc2` are the outputs of the first
and second dense layer of the classifier, after ReLU: 4096 values.
"""

from dataclasses import replace
from pathlib import Path

from indexer.config import EmbeddingSettings
from indexer.config.embedding import WEIGHTS_PRESETS
from indexer.embedding.base import Embedder
from indexer.embedding.downloads import VGG16_CLASSIFIER, VGG16_IMAGENET, KerasFile
from indexer.embedding.head import SUFFIX as HEAD_SUFFIX
from indexer.embedding.head import HeadManifest
from indexer.embedding.head import read_manifest as read_head_manifest
from indexer.embedding.int8 import SUFFIX as INT8_SUFFIX
from indexer.embedding.int8 import Manifest, read_manifest
from indexer.embedding.pooling import Pooling
from indexer.embedding.spec import (
    ALIASES,
    DEFAULT_SIDE,
    FASHION,
    PRESET_SHA256,
    RETIRED_SHA256,
    TRAINED_SIDE,
    EmbeddingSpec,
    file_sha256,
)
from indexer.errors import ConfigError, WeightsError

_DIMENSIONS = {"vgg16": 512, "vgg16-fc1": 4096, "vgg16-fc2": 4096}
MODELS = tuple(_DIMENSIONS)
WEIGHTS_SUFFIXES = (".h5", ".keras", ".npz", INT8_SUFFIX)


def resolve(settings: EmbeddingSettings) -> EmbeddingSpec:
    """Returns the spec of the settings. Hashes a custom weights file; downloads nothing.

    Raises:
        ConfigError: a dense layer cannot be used with the other settings.
        WeightsError: `weights` is neither a preset nor a readable file of a known format, or is
            an int8 model that was calibrated for other settings.
    """
    if Path(settings.weights).suffix == INT8_SUFFIX:
        return _int8_spec(settings, Path(settings.weights))
    if Path(settings.weights).suffix == HEAD_SUFFIX and (manifest := _head_manifest(settings)):
        return _headed_spec(settings, manifest)
    weights = ALIASES.get(settings.weights, settings.weights)
    presets, keras_file = PRESET_SHA256 | RETIRED_SHA256, VGG16_IMAGENET
    if settings.model != "vgg16":
        _require_dense(settings, weights)
        presets, keras_file = presets | {"imagenet": VGG16_CLASSIFIER.identity}, VGG16_CLASSIFIER
    sha256 = presets.get(weights) or _custom_sha256(Path(weights), keras_file)
    side = settings.input_size
    return EmbeddingSpec(
        model=settings.model,
        weights=weights,
        weights_sha256=sha256,
        input_size=TRAINED_SIDE.get(sha256, DEFAULT_SIDE) if side == "auto" else side,
        resize=settings.resize,
        dimension=_DIMENSIONS[settings.model],
        pooling=settings.pooling,
    )


def _require_dense(settings: EmbeddingSettings, weights: str) -> None:
    """Checks that the settings go with a dense layer, which takes maps of one size."""
    model = settings.model
    if weights == FASHION:
        raise ConfigError(
            f"embedding.weights: received {settings.weights}, which has no dense layers; {model}"
            " needs imagenet, untrained or the path of a whole VGG16"
        )
    if settings.input_size not in ("auto", DEFAULT_SIDE):
        raise ConfigError(
            f"embedding.input_size: received {settings.input_size}; {model} needs {DEFAULT_SIDE}"
        )
    if settings.pooling != "average":
        raise ConfigError(
            f"embedding.pooling: received {settings.pooling}, but {model} has no feature maps at"
            " its end; leave it at average"
        )


def _int8_spec(settings: EmbeddingSettings, path: Path) -> EmbeddingSpec:
    sha256 = file_sha256(path)
    manifest = read_manifest(path)
    _require_same(settings, manifest, "average")
    return EmbeddingSpec(
        model=manifest.model,
        weights=settings.weights,
        weights_sha256=sha256,
        input_size=manifest.input_size,
        resize=manifest.resize,
        numeric_class="int8",
    )


def _head_manifest(settings: EmbeddingSettings) -> HeadManifest | None:
    path = Path(settings.weights)
    return read_head_manifest(path) if path.is_file() else None


def _headed_spec(settings: EmbeddingSettings, manifest: HeadManifest) -> EmbeddingSpec:
    _require_same(settings, manifest, manifest.pooling)
    return EmbeddingSpec(
        model=manifest.model,
        weights=settings.weights,
        weights_sha256=file_sha256(Path(settings.weights)),
        input_size=manifest.input_size,
        resize=manifest.resize,
        dimension=manifest.dimension,
        pooling=manifest.pooling,
    )


def _require_same(
    settings: EmbeddingSettings, manifest: Manifest | HeadManifest, pooling: Pooling
) -> None:
    """Checks that the settings are those that a file was made for.

    Raises:
        WeightsError: they are not.
    """
    for key, received, made_for in (
        ("model", settings.model, manifest.model),
        ("input_size", settings.input_size, manifest.input_size),
        ("resize", settings.resize, manifest.resize),
        ("pooling", settings.pooling, pooling),
    ):
        if received not in (made_for, "auto"):
            raise WeightsError(
                f"embedding.{key}: received {received}, but {settings.weights} was made for"
                f" {made_for}; set it to {made_for}, or create the file again"
            )


def load(spec: EmbeddingSpec, settings: EmbeddingSettings, threads: int | None) -> Embedder:
    """Loads the model of a spec; see `indexer.embedding.load_embedder`."""
    from indexer.embedding.engines.precision import check_int8, resolve_precision
    from indexer.embedding.engines.quantised import load_quantised
    from indexer.embedding.engines.runtime import resolve_engine
    from indexer.embedding.headed import HeadedEmbedder
    from indexer.embedding.weights import load_head, load_weights

    engine = resolve_engine(settings.engine, spec)
    precision = resolve_precision(settings.precision)
    head = load_head(spec)
    base = spec if head is None else replace(spec, dimension=len(head.kernel))
    input_max = None
    if spec.numeric_class == "int8":
        check_int8()
        weights, input_max = load_quantised(spec)
    else:
        weights = load_weights(spec)
    # The slow imports come last, so that an invalid setting is reported at once.
    if engine == "openvino":
        from indexer.embedding.engines.openvino_engine import OpenVinoEmbedder

        embedder: Embedder = OpenVinoEmbedder(base, weights, precision, threads, input_max)
    else:
        from indexer.embedding.engines.tensorflow_engine import TensorFlowEmbedder

        embedder = TensorFlowEmbedder(base, weights, precision, threads)
    return embedder if head is None else HeadedEmbedder(embedder, head)


def _custom_sha256(path: Path, keras_file: KerasFile) -> str:
    if path.suffix not in WEIGHTS_SUFFIXES:
        raise WeightsError(
            f"embedding.weights: received {str(path)!r}; allowed: {', '.join(WEIGHTS_PRESETS)}, or"
            f" a path that ends in {', '.join(WEIGHTS_SUFFIXES)}"
        )
    return keras_file.identity_of(path)

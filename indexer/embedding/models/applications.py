"""Models of `keras.applications`: one row each.

A model is used without its classifier. Its weights are those that Keras distributes, or a file.
"""

from dataclasses import dataclass
from pathlib import Path

from indexer.config import EmbeddingSettings
from indexer.embedding.base import Cells, Embedder
from indexer.embedding.downloads import KerasFile
from indexer.embedding.spec import UNTRAINED_SHA256, EmbeddingSpec
from indexer.errors import ConfigError

WEIGHTS_SUFFIXES = (".h5", ".keras")
_CELLS = Cells(32)


@dataclass(frozen=True)
class Application:
    """A row.

    Attributes:
        function: of `keras.applications` that builds the model.
        module: of `keras.applications` that prepares its input.
        dimension: channels of the last feature maps.
        imagenet: its weights.
        side: default input size in pixels.
        min_side: smallest input size in pixels.
        cells: how the last feature maps cover a photo; None if their mean is not the vector, or
            they do not cover it evenly.
        normalises: whether a layer normalisation follows the pooling.
    """

    function: str
    module: str
    dimension: int
    imagenet: KerasFile
    side: int = 224
    min_side: int = 32
    cells: Cells | None = _CELLS
    normalises: bool = False


def _no_top(name: str, folder: str, md5: str) -> KerasFile:
    return KerasFile(f"{folder}/{name}_weights_tf_dim_ordering_tf_kernels_notop.h5", md5)


APPLICATIONS = {
    "vgg19": Application(
        "VGG19", "vgg19", 512, _no_top("vgg19", "vgg19", "253f8cb515780f3b799900260a226db6")
    ),
    "resnet50": Application(
        "ResNet50",
        "resnet50",
        2048,
        _no_top("resnet50", "resnet", "4d473c1dd8becc155b73f8504c6f6626"),
    ),
    "inception_v3": Application(
        "InceptionV3",
        "inception_v3",
        2048,
        _no_top("inception_v3", "inception_v3", "bcbd6486424b2319ff4ef7d526e38f63"),
        side=299,
        min_side=75,
        cells=None,
    ),
    "densenet121": Application(
        "DenseNet121",
        "densenet",
        1024,
        _no_top("densenet121", "densenet", "30ee3e1110167f948a6b9946edeeb738"),
    ),
    "mobilenet_v3_large": Application(
        "MobileNetV3Large",
        "mobilenet_v3",
        960,
        KerasFile(
            "mobilenet_v3/weights_mobilenet_v3_large_224_1.0_float_no_top_v2.h5",
            "07fb09a5933dd0c8eaafa16978110389",
        ),
    ),
    "efficientnet_v2_b0": Application(
        "EfficientNetV2B0",
        "efficientnet_v2",
        1280,
        KerasFile("efficientnet_v2/efficientnetv2-b0_notop.h5", "893217f2bb855e2983157299931e43ff"),
    ),
    "convnext_tiny": Application(
        "ConvNeXtTiny",
        "convnext",
        768,
        KerasFile(
            "convnext/convnext_tiny_notop.h5",
            "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1",
        ),
        cells=None,
        normalises=True,
    ),
}


def resolve(settings: EmbeddingSettings) -> EmbeddingSpec:
    """Returns the spec of the settings. Hashes a weights file; downloads nothing.

    Raises:
        ConfigError: the weights or the input size do not go with the model.
        WeightsError: the weights file cannot be read.
    """
    row = APPLICATIONS[settings.model]
    side = row.side if settings.input_size == "auto" else settings.input_size
    if side < row.min_side:
        raise ConfigError(
            f"embedding.input_size: received {side}; {settings.model} needs at least {row.min_side}"
        )
    return EmbeddingSpec(
        model=settings.model,
        weights=settings.weights,
        weights_sha256=_identity(settings, row),
        input_size=side,
        resize=settings.resize,
        dimension=row.dimension,
        pooling=settings.pooling,
    )


def _identity(settings: EmbeddingSettings, row: Application) -> str:
    presets = {"imagenet": row.imagenet.identity, "untrained": UNTRAINED_SHA256}
    if settings.weights in presets:
        return presets[settings.weights]
    path = Path(settings.weights)
    if path.suffix not in WEIGHTS_SUFFIXES:
        raise ConfigError(
            f"embedding.weights: received {settings.weights!r}; for {settings.model}:"
            f" {', '.join(presets)}, or a path that ends in {', '.join(WEIGHTS_SUFFIXES)}"
        )
    return row.imagenet.identity_of(path)


def load(spec: EmbeddingSpec, settings: EmbeddingSettings, threads: int | None) -> Embedder:
    """Loads the model of a spec; see `indexer.embedding.load_embedder`."""
    row = APPLICATIONS[spec.model]
    path = None
    if spec.trained:
        path = row.imagenet.fetch() if spec.weights == "imagenet" else Path(spec.weights)
    from indexer.embedding.engines.keras_applications import application
    from indexer.embedding.engines.keras_graph import load_function

    return load_function(lambda: application(row, spec, path), spec, settings, threads)

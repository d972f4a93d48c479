"""The families of models, one module each: from settings to a spec, and from a spec to a model.

Importing this package is cheap: a family imports its runtime when it loads a model.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from indexer.config import EmbeddingSettings
from indexer.embedding.base import Embedder
from indexer.embedding.models import applications, keras_file, onnx_file, vgg16
from indexer.embedding.models.applications import APPLICATIONS
from indexer.embedding.spec import EmbeddingSpec
from indexer.errors import ConfigError


class Family(Protocol):
    """What the module of a family defines."""

    def resolve(self, settings: EmbeddingSettings) -> EmbeddingSpec:
        """Returns the spec of the settings; see `indexer.embedding.resolve_spec`."""
        ...

    def load(
        self, spec: EmbeddingSpec, settings: EmbeddingSettings, threads: int | None
    ) -> Embedder:
        """Loads the model of a spec; see `indexer.embedding.load_embedder`."""
        ...


def family_of(model: str) -> Family:
    """Returns the family of `embedding.model`, a name or the path of a file.

    Raises:
        ConfigError: there is no such model.
    """
    for family in (keras_file, onnx_file):
        if Path(model).suffix == family.SUFFIX:
            return family
    if model in vgg16.MODELS:
        return vgg16
    if model in APPLICATIONS:
        return applications
    names = ", ".join([*vgg16.MODELS, *APPLICATIONS])
    raise ConfigError(
        f"embedding.model: received {model!r}; allowed: {names}, or the path of a .keras or .onnx"
        " file"
    )


def loads_tensorflow(settings: EmbeddingSettings) -> bool:
    """Returns whether loading the model imports TensorFlow.

    OpenVINO reads the weights of VGG16 and ONNX files itself, and others after Keras.
    """
    is_native = settings.model in vgg16.MODELS or Path(settings.model).suffix == onnx_file.SUFFIX
    return settings.engine == "tensorflow" or not is_native or find_spec("openvino") is None

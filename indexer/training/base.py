"""The model that a training starts from."""

from dataclasses import dataclass

from indexer.config import EmbeddingSettings
from indexer.embedding import EmbeddingSpec, resolve_spec
from indexer.embedding.weights import LayerWeights, load_head, load_weights
from indexer.errors import ConfigError, WeightsError


@dataclass(frozen=True)
class Base:
    """A model without a head: its spec, and its convolutions."""

    spec: EmbeddingSpec
    convolutions: LayerWeights


def base_of(settings: EmbeddingSettings) -> Base:
    """Returns the configured model.

    Raises:
        ConfigError: the model is not `vgg16`, or its vectors are whitened.
        WeightsError: the weights cannot be loaded, are an int8 model, or have a head already.
    """
    for key, received, needed in (
        ("model", settings.model, "vgg16"),
        ("whitening", settings.whitening, "none"),
    ):
        if received != needed:
            raise ConfigError(f"embedding.{key}: received {received}; `finetune` needs {needed}")
    spec = resolve_spec(settings)
    what = "is an int8 model" if spec.numeric_class == "int8" else ""
    if not what and load_head(spec) is not None:
        what = "has a head already"
    if what:
        raise WeightsError(
            f"embedding.weights: received {spec.weights}, which {what}; set it to the weights that"
            " it was made from"
        )
    return Base(spec, load_weights(spec))

"""The families of models, one module each: from settings to a spec, and from a spec to a model.

Importing this package is cheap: a family imports its runtime when it loads a model.
"""

from typing import Protocol

from indexer.config import EmbeddingSettings
from indexer.embedding.base import Embedder
from indexer.embedding.models import applications, vgg16
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
    """Returns the family of `embedding.model`.

    Raises:
        ConfigError: there is no such model.
    """
    if model in vgg16.MODELS:
        return vgg16
    if model in APPLICATIONS:
        return applications
    raise ConfigError(
        f"embedding.model: received {model!r}; allowed: {', '.join([*vgg16.MODELS, *APPLICATIONS])}"
    )

"""What the families of model files have in common."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from indexer.config import EmbeddingSettings
from indexer.embedding.preprocessor import FILE_NAME, Preprocessor, read_preprocessor
from indexer.embedding.spec import EmbeddingSpec
from indexer.errors import ConfigError, ModelError


def file_spec(
    settings: EmbeddingSettings,
    model: Literal["keras", "onnx"],
    sha256: str,
    preprocessor: Preprocessor | None,
    side: int,
) -> EmbeddingSpec:
    """Returns the spec of a model file; its dimension is unknown.

    Args:
        settings: whose `model` is the path.
        model: kind of the file.
        sha256: of its content.
        preprocessor: prepares photos instead of `embedding.resize`.
        side: of the input.

    Raises:
        ConfigError: a setting contradicts the file.
    """
    defaults = {key: field.default for key, field in EmbeddingSettings.model_fields.items()}
    if settings.weights != defaults["weights"]:
        raise ConfigError(
            f"embedding.weights: received {settings.weights}, but {settings.model} has its own"
            f" weights; leave it out, or set it to its default, {defaults['weights']}"
        )
    if preprocessor and settings.resize != defaults["resize"]:
        raise ConfigError(
            f"embedding.resize: received {settings.resize}, but {FILE_NAME} beside"
            f" {settings.model} says how photos are resized; leave it at {defaults['resize']}"
        )
    if settings.input_size not in ("auto", side):
        raise ConfigError(
            f"embedding.input_size: received {settings.input_size}, but the input of"
            f" {settings.model} is {side}; set it to auto"
        )
    return EmbeddingSpec(
        model=model,
        weights=settings.model,
        weights_sha256=sha256,
        input_size=side,
        resize=settings.resize,
        dimension=0,
        pooling=settings.pooling,
        preprocessor=preprocessor,
    )


def preprocessor_beside(path: Path) -> Preprocessor | None:
    """Reads the `preprocessor_config.json` in the folder of a model file; None if there is none.

    Raises:
        ModelError: it cannot be used.
    """
    config = path.parent / FILE_NAME
    return read_preprocessor(config) if config.exists() else None


def sha256_of(paths: Sequence[Path]) -> str:
    """Returns the SHA-256 of the content of files in hex; of several, that of their hashes.

    Raises:
        ModelError: a file cannot be read.
    """
    hashes = []
    for path in paths:
        try:
            with path.open("rb") as file:
                hashes.append(hashlib.file_digest(file, "sha256").hexdigest())
        except OSError as error:
            raise ModelError(f"cannot read {path}: {error.strerror}") from error
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()


def require_unchanged(spec: EmbeddingSpec, sha256: str) -> None:
    """Checks that a file, of which this is the SHA-256 now, is the one of a spec.

    Raises:
        ModelError: it was replaced.
    """
    if sha256 != spec.weights_sha256:
        raise ModelError(f"{spec.weights} was replaced while it was loaded; start again")


def require_no_pooling(spec: EmbeddingSpec) -> None:
    """Checks that a model without feature maps at its end need not pool any.

    Raises:
        ConfigError: the settings say how to pool.
    """
    if spec.pooling != "average":
        raise ConfigError(
            f"embedding.pooling: received {spec.pooling}, but {spec.weights} has no feature maps"
            " at its end; leave it at average"
        )

"""Any `.keras` file of a model with photos as its only input.

A `preprocessor_config.json` beside the file prepares photos. Without one, the model gets RGB values
from 0 to 255, so any rescaling is a layer of the model, and `embedding.resize` applies.
"""

import json
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from indexer.config import EmbeddingSettings
from indexer.embedding.base import Embedder
from indexer.embedding.models.model_files import (
    file_spec,
    preprocessor_beside,
    require_unchanged,
    sha256_of,
)
from indexer.embedding.spec import EmbeddingSpec
from indexer.errors import ConfigError, ModelError

SUFFIX = ".keras"
_MAX_CONFIG = 64 << 20  # bytes


def resolve(settings: EmbeddingSettings) -> EmbeddingSpec:
    """Returns the spec of the settings. Hashes the file; loads no model.

    Raises:
        ConfigError: a setting contradicts the file, or the input size is missing.
        ModelError: the file cannot be read, or takes no square photos.
    """
    path = Path(settings.model)
    sha256, preprocessor, own = sha256_of([path]), preprocessor_beside(path), _input_side(path)
    side = preprocessor.side if preprocessor else own
    if side is None:
        if settings.input_size == "auto":
            raise ConfigError(
                f"embedding.input_size: received auto, but the input of {path} has any size; set"
                " it to a number of pixels"
            )
        side = settings.input_size
    if own not in (None, side):
        raise ModelError(f"{path} takes photos of {own} pixels, but their preparation gives {side}")
    return file_spec(settings, "keras", sha256, preprocessor, side)


def load(spec: EmbeddingSpec, settings: EmbeddingSettings, threads: int | None) -> Embedder:
    """Loads the model of a spec; see `indexer.embedding.load_embedder`."""
    path = Path(spec.weights)
    require_unchanged(spec, sha256_of([path]))
    from indexer.embedding.engines.keras_graph import load_function
    from indexer.embedding.engines.keras_model import model_file

    return load_function(lambda: model_file(path, spec), spec, settings, threads)


def _input_side(path: Path) -> int | None:
    """Returns the side of the input in pixels; None if any. Reads the description only."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open("config.json") as file:
            config = json.loads(file.read(_MAX_CONFIG))
    except (OSError, zipfile.BadZipFile, zlib.error, KeyError, ValueError, RuntimeError) as error:
        raise ModelError(
            f"cannot read {path} as a model that Keras 3 saved: {' '.join(str(error).split())}"
        ) from error
    for shape in _input_shapes(config):
        if len(shape) != 4 or shape[3] != 3 or shape[1] != shape[2]:
            raise ModelError(
                f"{path}: the input has shape {shape}; needed: square photos, (n, side, side, 3)"
            )
        return None if shape[1] is None else int(shape[1])
    return None


def _input_shapes(config: Any) -> Iterator[list[int | None]]:
    """Yields the shapes of the inputs that a description names, that of the model first."""
    if isinstance(config, dict):
        shape = (config.get("config") or {}).get("batch_shape") if "class_name" in config else None
        if config.get("class_name") == "InputLayer" and isinstance(shape, list):
            yield shape
        for value in config.values():
            yield from _input_shapes(value)
    elif isinstance(config, list):
        for value in config:
            yield from _input_shapes(value)

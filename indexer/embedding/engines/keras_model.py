"""Loads `.keras` files."""

from pathlib import Path
from typing import Any

from indexer.embedding.engines.keras_graph import KerasFunction, tf
from indexer.embedding.models.model_files import require_no_pooling
from indexer.embedding.pooling import pooled
from indexer.embedding.spec import EmbeddingSpec
from indexer.errors import ModelError

import keras  # isort: skip  # after TensorFlow, which is imported without its banner


def model_file(path: Path, spec: EmbeddingSpec) -> KerasFunction:
    """Loads a model; no code in the file is run.

    Raises:
        ConfigError: the settings pool feature maps that the model does not have.
        ModelError: the file cannot be read, has code in it, or is not a model of photos with one
            output of rows or maps.
    """
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
        (photos,), (output,) = model.inputs, model.outputs
        model, rank = keras.Model(photos, output), len(output.shape)
    except Exception as error:  # Keras raises errors of any class
        raise ModelError(
            f"cannot load {path} as a model with one input and one output, without code in it:"
            f" {' '.join(str(error).split())[:300]}"
        ) from error
    if len(photos.shape) != 4 or photos.shape[3] != 3 or rank not in (2, 4):
        raise ModelError(
            f"{path}: maps {photos.shape} to {output.shape}; needed: (n, side, side, 3) to (n, d)"
            " or (n, height, width, channels)"
        )
    if rank == 2:
        require_no_pooling(spec)

    def call(images: Any) -> tuple[Any]:
        pixels = tf.cast(images, tf.float32)
        if spec.preprocessor:
            pixels = spec.preprocessor.values(pixels)
        outputs = tf.cast(model(pixels, training=False), tf.float32)
        return (pooled(outputs, spec.pooling, keras.ops) if rank == 4 else outputs,)

    return KerasFunction(call, side=spec.input_size)

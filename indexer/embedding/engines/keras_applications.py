"""Builds the models of `keras.applications`."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from indexer.embedding.engines.keras_graph import KerasFunction, tf
from indexer.embedding.models.applications import Application
from indexer.embedding.pooling import pooled
from indexer.embedding.spec import UNTRAINED_SEED, EmbeddingSpec
from indexer.errors import WeightsError

import keras  # isort: skip  # after TensorFlow, which is imported without its banner


def application(row: Application, spec: EmbeddingSpec, weights: Path | None) -> KerasFunction:
    """Builds a model with the weights of a file; None gives seeded random weights.

    Raises:
        WeightsError: the file was replaced, cannot be read or does not fit.
    """
    build = getattr(keras.applications, row.function)
    with _seeded():
        model = build(weights=None, include_top=False, input_shape=(None, None, 3))
    if weights is not None:
        _load(model, weights, row, spec)
    normalise = None
    if row.normalises:
        normalise = model.layers[-1]
        model = keras.Model(model.inputs, normalise.input)
    prepare = getattr(keras.applications, row.module).preprocess_input

    def call(images: Any) -> tuple[Any, Any]:
        maps = model(prepare(tf.cast(images, tf.float32)), training=False)
        vectors = pooled(maps, spec.pooling, keras.ops)
        return normalise(vectors) if normalise else vectors, maps

    return KerasFunction(call, cells=row.cells if spec.pooling == "average" else None)


def _load(model: Any, path: Path, row: Application, spec: EmbeddingSpec) -> None:
    if (received := row.imagenet.identity_of(path)) != spec.weights_sha256:
        raise WeightsError(
            f"the weights file {path} was replaced while it was loaded: SHA-256 {received},"
            f" expected {spec.weights_sha256}; start again"
        )
    try:
        model.load_weights(path)
    except Exception as error:  # h5py and Keras raise errors of any class
        raise WeightsError(
            f"cannot read {path} as weights of {spec.model} without its classifier:"
            f" {' '.join(str(error).split())[:300]}"
        ) from error


@contextmanager
def _seeded() -> Iterator[None]:
    """Makes the initial weights of Keras's layers the same each time.

    Keras draws the seed of each initializer from Python's generator.
    """
    state = random.getstate()
    random.seed(UNTRAINED_SEED)
    try:
        yield
    finally:
        random.setstate(state)

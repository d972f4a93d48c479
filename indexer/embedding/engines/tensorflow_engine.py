"""VGG16 on TensorFlow, compiled for inference on a processor."""

from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import Any

import numpy as np

from indexer.arrays import Vectors
from indexer.embedding.base import (
    MEAN_BGR,
    VGG16_CELLS,
    Embedder,
    Maps,
    PixelBatch,
    vectors_of,
)
from indexer.embedding.engines.precision import Precision
from indexer.embedding.engines.quiet import import_tensorflow
from indexer.embedding.spec import EmbeddingSpec
from indexer.embedding.weights import BLOCKS, DENSE_LAYERS, LayerWeights

tf = import_tensorflow()


class TensorFlowEmbedder(Embedder):
    """VGG16: 512 pooled values of its convolutions, or 4096 of a dense layer, of length 1.

    The constructor compiles the model and runs it once.

    Args:
        spec: the model.
        weights: its layers.
        precision: number format of the layers.
        threads: cores to compute on; None uses all cores available to this process.

    Raises:
        RuntimeError: TensorFlow already runs with another number of threads.
        WeightsError: the model outputs values that are not finite.
    """

    def __init__(
        self,
        spec: EmbeddingSpec,
        weights: LayerWeights,
        precision: Precision,
        threads: int | None = None,
    ) -> None:
        self.spec = spec
        self.precision = precision
        self.runs_on = f"tensorflow {precision}"
        dense = DENSE_LAYERS[spec.model]
        self.cells = VGG16_CELLS if spec.pooling == "average" and not dense else None
        limit_threads(threads)
        # One inference uses every core: two at once are no faster and take twice the memory.
        self._lock = Lock()
        self._outputs, self._maps = _functions(weights, dense, spec.input_size, precision)
        self.embed_batch(np.zeros((1, spec.input_size, spec.input_size, 3), np.uint8))

    def embed_batch(self, images: PixelBatch) -> Vectors:
        self._check(images)
        if len(images) == 0:
            return np.empty((0, self.dimension), np.float32)
        with self._lock:
            outputs = self._outputs(tf.constant(images)).numpy()
        return vectors_of(outputs, self.spec)

    def activations(self, images: PixelBatch) -> Maps:
        self._check_sides(images)
        with self._lock:
            maps: Maps = self._maps(tf.constant(images)).numpy()
        return maps


def last_maps(images: Any, weights: Mapping[str, Any], dtype: Any) -> Any:
    """Computes the feature maps of the last convolution, before pooling, in a graph.

    Args:
        images: a tensor, uint8 (n, height, width, 3), RGB.
        weights: kernel and bias of each convolution: arrays, which become constants, or variables.
        dtype: TensorFlow's type of all convolutions but the first.
    """
    # The first convolution runs in float32: bfloat16 loses most precision on the pixels, and this
    # layer is 1 % of the arithmetic.
    maps = tf.cast(images[..., ::-1], tf.float32) - tf.constant(MEAN_BGR)
    for block in BLOCKS:
        maps = maps if block is BLOCKS[0] else tf.nn.max_pool2d(maps, 2, 2, "VALID")
        for layer in block:
            kernel, bias = (tf.convert_to_tensor(each, maps.dtype) for each in weights[layer])
            maps = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(maps, kernel, 1, "SAME"), bias))
            maps = tf.cast(maps, dtype)
    return maps


def limit_threads(threads: int | None) -> None:
    """Limits the cores of TensorFlow, which has one limit per process.

    Raises:
        RuntimeError: TensorFlow already runs with another number of threads.
    """
    threading = tf.config.threading
    if threads is not None and threading.get_intra_op_parallelism_threads() != threads:
        threading.set_intra_op_parallelism_threads(threads)
        threading.set_inter_op_parallelism_threads(1)  # the layers of the model run in sequence


def _functions(
    weights: LayerWeights, dense: Sequence[str], side: int, precision: Precision
) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """Returns graphs from uint8 photos to the outputs, and to the last feature maps, float32.

    Both take any n, the second also any size; each is compiled on its first call. The weights
    are constants in the precision of the layers: variables, or a cast in the graph, would
    convert them again for each photo. Those of dense layers are too large for the graph.
    """
    dtype = tf.as_dtype(precision)
    dense_weights = [[tf.constant(array, dtype) for array in weights[layer]] for layer in dense]

    @tf.function(input_signature=[tf.TensorSpec((None, side, side, 3), tf.uint8)])  # type: ignore[untyped-decorator]
    def outputs(images: Any) -> Any:
        values = tf.nn.max_pool2d(last_maps(images, weights, dtype), 2, 2, "VALID")
        if dense:
            values = tf.reshape(values, (tf.shape(images)[0], -1))
        for kernel, bias in dense_weights:
            values = tf.nn.relu(tf.nn.bias_add(tf.matmul(values, kernel), bias))
        return tf.cast(values, tf.float32)

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3), tf.uint8)])  # type: ignore[untyped-decorator]
    def maps(images: Any) -> Any:
        return tf.cast(last_maps(images, weights, dtype), tf.float32)

    return outputs, maps

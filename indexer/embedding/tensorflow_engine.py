"""VGG16 on TensorFlow, compiled for inference on a processor."""

from collections.abc import Callable
from threading import Lock
from typing import Any

import numpy as np

from indexer.arrays import Vectors
from indexer.embedding.base import Embedder, Photos, unit_rows
from indexer.embedding.precision import Precision
from indexer.embedding.quiet import import_tensorflow
from indexer.embedding.spec import EmbeddingSpec
from indexer.embedding.weights import BLOCKS, ConvWeights

tf = import_tensorflow()

# What ImageNet VGG16 was trained with: mean of blue, green and red.
MEAN_BGR = (103.939, 116.779, 123.68)


class TensorFlowEmbedder(Embedder):
    """VGG16's convolutions, global average pooling, length 1: 512 values.

    Building it compiles the network and runs it once.

    Raises:
        WeightsError: these weights give values that are not finite.
    """

    def __init__(self, spec: EmbeddingSpec, weights: ConvWeights, precision: Precision) -> None:
        self.spec = spec
        self.precision = precision
        self.runs_on = f"tensorflow {precision}"
        # A pass uses every core; two at once would take turns and hold twice the memory.
        self._one_at_a_time = Lock()
        self._features = _compile(weights, spec.input_size, precision)
        self.embed_batch(np.zeros((1, spec.input_size, spec.input_size, 3), np.uint8))

    def embed_batch(self, images: Photos) -> Vectors:
        self._check(images)
        if len(images) == 0:
            return np.empty((0, self.dimension), np.float32)
        with self._one_at_a_time:
            features = self._features(tf.constant(images)).numpy()
        return unit_rows(features)


def _compile(weights: ConvWeights, side: int, precision: Precision) -> Callable[[Any], Any]:
    """A graph from uint8 (n, side, side, 3) to float32 features (n, 512), for any n.

    The weights are constants of the graph in the precision of the convolutions: as variables,
    or cast within the graph, they would be converted again for each photo.
    """
    dtype = tf.as_dtype(precision)

    @tf.function(input_signature=[tf.TensorSpec((None, side, side, 3), tf.uint8)])  # type: ignore[untyped-decorator]
    def features(images: Any) -> Any:
        # In float32 up to the first convolution: most of what bfloat16 loses, it loses on the
        # pixels, and this layer is 1 % of the arithmetic.
        maps = tf.cast(images[..., ::-1], tf.float32) - tf.constant(MEAN_BGR)
        for block in BLOCKS:
            for layer in block:
                kernel, bias = (tf.constant(array, maps.dtype) for array in weights[layer])
                maps = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(maps, kernel, 1, "SAME"), bias))
                maps = tf.cast(maps, dtype)
            maps = tf.nn.max_pool2d(maps, 2, 2, "VALID")
        return tf.reduce_mean(tf.cast(maps, tf.float32), axis=(1, 2))

    compiled: Callable[[Any], Any] = features.get_concrete_function()
    return compiled

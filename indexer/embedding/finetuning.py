"""Trains a linear layer on the vectors of a model, and optionally its last convolutions.

The loss is that of neighbourhood components analysis with cosines: each photo picks another one
with a probability that grows with their cosine, and should pick one with its own label.
J. Goldberger et al., "Neighbourhood components analysis" (NIPS 2004); with cosines and a
temperature: Z. Wu et al., "Improving generalization via scalable neighborhood component analysis",
arXiv 1808.04699. It is what leave-one-out precision@1 measures, made differentiable.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.arrays import Ids, Vectors
from indexer.embedding.engines.quiet import import_tensorflow
from indexer.embedding.engines.tensorflow_engine import last_maps
from indexer.embedding.head import Head
from indexer.embedding.pooling import Pooling, pooled
from indexer.embedding.weights import BLOCKS, LayerWeights

tf = import_tensorflow()

import keras  # noqa: E402  # isort: skip  # after TensorFlow, which is imported without its banner

_TEMPERATURE = 0.15
LEARNING_RATE = 1e-3
_BLOCK_LEARNING_RATE = 1e-5
_AVERAGING = 0.99  # share of the old value in the moving average, for each step
_NONE = -1e9  # logarithm of the probability 0

Inputs = NDArray[np.float32] | NDArray[np.uint8]  # vectors (n, d), or photos (n, side, side, 3)
State = list[NDArray[Any]]


class Trainer:
    """Trains a head; the same steps give the same result on the same machine.

    Its vectors, head and convolutions are those of the moving averages of all weights, which vary
    less between steps: B. Polyak and A. Juditsky, "Acceleration of stochastic approximation by
    averaging" (1992).

    Args:
        head: to start from.
        convolutions: of the model, to train those of block 5 too, from photos; None trains the
            head alone, from the vectors of the model.
        pooling: of the last feature maps.
    """

    def __init__(
        self,
        head: Head,
        convolutions: LayerWeights | None = None,
        pooling: Pooling = "average",
    ) -> None:
        tf.config.experimental.enable_op_determinism()
        self._pooling = pooling
        # Not numpy arrays: these would become part of the graph.
        self._convolutions: dict[str, Any] = {
            layer: tuple(map(tf.constant, arrays)) for layer, arrays in (convolutions or {}).items()
        }
        self._tuned = [layer for layer in self._convolutions if layer in BLOCKS[-1]]
        arrays = [_copy(each) for layer in self._tuned for each in self._convolutions[layer]]
        self._groups = [
            (_variables([head.kernel, head.bias]), keras.optimizers.Adam(LEARNING_RATE)),
            (_variables(arrays), keras.optimizers.Adam(_BLOCK_LEARNING_RATE)),
        ]
        for variables, optimizer in self._groups:
            optimizer.build(variables)
        self._weights = [each for variables, _ in self._groups for each in variables]
        self._averages = _variables([_copy(each) for each in self._weights])
        self._initial = self.state()
        self._compute = tf.function(
            lambda inputs: self._vectors(inputs, self._averages),
            autograph=False,
            reduce_retracing=True,
        )
        self._descend = tf.function(self._descended, autograph=False, reduce_retracing=True)

    def reset(self, head: Head) -> None:
        """Starts again from a head and the first convolutions."""
        self.restore(self._initial)
        for weights in (self._weights, self._averages):
            weights[0].assign(head.kernel)
            weights[1].assign(head.bias)

    def step(self, inputs: Inputs, labels: Ids, products: Ids) -> None:
        """Does one step of gradient descent.

        Args:
            inputs: (n, ...), vectors or photos.
            labels: (n, columns), numbers that are equal for equal labels; -1 for none.
            products: (n,), of each photo; photos of one product are not compared.
        """
        self._descend(*(tf.constant(each) for each in (inputs, labels, products)))

    def vectors(self, inputs: Inputs) -> Vectors:
        """Returns the unit vectors of inputs: (n, dimension)."""
        vectors: Vectors = self._compute(tf.constant(inputs)).numpy()
        return vectors

    @property
    def head(self) -> Head:
        """The head as it is now."""
        kernel, bias = map(_copy, self._averages[:2])
        return Head(kernel, bias)

    @property
    def convolutions(self) -> LayerWeights:
        """All convolutions as they are now; empty if the head is trained alone."""
        tuned = self._with_tuned(self._averages)
        return {layer: (_copy(kernel), _copy(bias)) for layer, (kernel, bias) in tuned.items()}

    def state(self) -> State:
        """Returns all that training changes."""
        return [_copy(each) for each in self._changing()]

    def restore(self, state: State) -> None:
        """Continues from a state."""
        for variable, value in zip(self._changing(), state, strict=True):
            variable.assign(value)

    def _changing(self) -> list[Any]:
        moments = [each for _, optimizer in self._groups for each in optimizer.variables]
        return [*self._weights, *self._averages, *moments]

    def _with_tuned(self, weights: list[Any]) -> dict[str, Any]:
        pairs = zip(weights[2::2], weights[3::2], strict=True)
        return self._convolutions | dict(zip(self._tuned, pairs, strict=True))

    def _vectors(self, inputs: Any, weights: list[Any]) -> Any:
        if self._convolutions:
            maps = last_maps(inputs, self._with_tuned(weights), tf.float32)
            maps = tf.nn.max_pool2d(maps, 2, 2, "VALID")
            inputs = tf.math.l2_normalize(pooled(maps, self._pooling, keras.ops), axis=1)
        return tf.math.l2_normalize(tf.matmul(inputs, weights[0]) + weights[1], axis=1)

    def _descended(self, inputs: Any, labels: Any, products: Any) -> None:
        with tf.GradientTape() as tape:
            loss = _loss(self._vectors(inputs, self._weights), labels, products)
        gradients = tape.gradient(loss, [variables for variables, _ in self._groups])
        for (variables, optimizer), of_variables in zip(self._groups, gradients, strict=True):
            if variables:
                optimizer.apply(of_variables, variables)
        for average, weight in zip(self._averages, self._weights, strict=True):
            average.assign(_AVERAGING * average + (1 - _AVERAGING) * weight)


def _variables(arrays: list[NDArray[np.float32]]) -> list[Any]:
    return [tf.Variable(array) for array in arrays]


def _copy(array: Any) -> NDArray[Any]:
    """Returns the values of a variable, which later steps do not change."""
    return np.array(tf.convert_to_tensor(array).numpy())


def _loss(vectors: Any, labels: Any, products: Any) -> Any:
    """Returns the mean loss over the columns of labels that have a pair in the batch."""
    scores = tf.matmul(vectors, vectors, transpose_b=True) / _TEMPERATURE
    others = products[:, None] != products
    total, columns = 0.0, 0.0
    for column in tf.unstack(labels, axis=1):
        pairs = others & (column >= 0)
        same = pairs & (column[:, None] == column) & (column[:, None] >= 0)
        able = tf.reduce_any(same, axis=1)
        right, any_one = (
            tf.reduce_logsumexp(tf.where(chosen, scores, _NONE), axis=1) for chosen in (same, pairs)
        )
        number = tf.reduce_sum(tf.cast(able, tf.float32))
        total += tf.reduce_sum(tf.where(able, any_one - right, 0)) / tf.maximum(number, 1)
        columns += tf.minimum(number, 1)
    return total / tf.maximum(columns, 1)

"""VGG16 on OpenVINO, built directly from the weight arrays, without a model file."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import openvino as ov
from openvino import opset13 as op

from indexer.arrays import Vectors
from indexer.embedding.base import (
    MEAN_BGR,
    VGG16_CELLS,
    Embedder,
    Maps,
    PixelBatch,
    vectors_of,
)
from indexer.embedding.engines.openvino_session import Session
from indexer.embedding.engines.precision import Precision
from indexer.embedding.engines.quantised import FIRST, QUANTISED, STEPS, InputMax
from indexer.embedding.spec import EmbeddingSpec
from indexer.embedding.weights import BLOCKS, DENSE_LAYERS, LayerWeights

# Variants to compile: one photo; a batch; the last feature maps at any size; and, for
# calibration, the largest input of each convolution except the first.
Use = Literal["one", "many", "maps", "input_max"]


class OpenVinoEmbedder(Embedder):
    """VGG16: 512 pooled values of its convolutions, or 4096 of a dense layer, of length 1.

    The constructor compiles the model for one photo and runs it once; other variants are
    compiled on first use.

    Args:
        spec: the model.
        weights: its layers.
        precision: number format of float layers.
        threads: cores to compute on; None uses all cores available to this process.
        input_max: input ranges of an int8 model; None computes everything in `precision`.

    Raises:
        WeightsError: the model outputs values that are not finite.
    """

    def __init__(
        self,
        spec: EmbeddingSpec,
        weights: LayerWeights,
        precision: Precision,
        threads: int | None = None,
        input_max: InputMax | None = None,
    ) -> None:
        self.spec = spec
        self.precision = precision
        self.runs_on = f"openvino {'int8' if input_max else precision}"
        dense = DENSE_LAYERS[spec.model]
        self.cells = VGG16_CELLS if spec.pooling == "average" and not dense else None
        self._graph = _Graph(weights, dense, input_max or {}, precision)
        self._session = Session(self._model, precision, threads)
        self.embed_batch(np.zeros((1, spec.input_size, spec.input_size, 3), np.uint8))

    def embed_batch(self, images: PixelBatch) -> Vectors:
        self._check(images)
        if len(images) == 0:
            return np.empty((0, self.dimension), np.float32)
        (outputs,) = self._session.run("one" if len(images) == 1 else "many", images)
        return vectors_of(outputs, self.spec)

    def activations(self, images: PixelBatch) -> Maps:
        self._check_sides(images)
        maps: Maps = self._session.run("maps", images)[0]
        return maps

    def input_max(self, images: PixelBatch) -> InputMax:
        """Returns the largest input value of each convolution except the first."""
        self._check(images)
        found = zip(QUANTISED, self._session.run("input_max", images), strict=True)
        return {layer: float(largest) for layer, largest in found}

    def _model(self, use: Use) -> ov.Model:
        side = -1 if use == "maps" else self.spec.input_size
        # A static batch size makes a single photo 5 % faster.
        return self._graph.model(use, [1 if use == "one" else -1, side, side, 3])


class _Graph:
    """Builds the computation graph, from uint8 photos to the outputs of each variant."""

    def __init__(
        self,
        weights: LayerWeights,
        dense: Sequence[str],
        input_max: InputMax,
        precision: Precision,
    ) -> None:
        self._weights = dict(weights)
        self._dense = dense
        self._input_max = input_max
        mean = np.array(MEAN_BGR[::-1], np.float32)
        # bfloat16 loses most precision by rounding the pixels; pixels minus an integer are exact.
        # The fractional part of the mean goes into the bias, which is exact except at the
        # padding: there the error is at most 0.4 of 255 levels.
        self._offset = np.round(mean) if precision == "bfloat16" else mean
        kernel, bias = weights[FIRST]
        kernel = kernel[:, :, ::-1]  # BGR to RGB
        rest = np.einsum("hwio,i->o", kernel, mean - self._offset)
        self._weights[FIRST] = kernel, bias - rest

    def model(self, use: Use, shape: list[int]) -> ov.Model:
        images = op.parameter(shape, ov.Type.u8)
        maps, inputs = self._maps(images)
        if use == "maps":
            results = [_channels_last(maps)]
        elif use == "input_max":
            results = [op.reduce_max(each, [0, 1, 2, 3]) for each in inputs[1:]]
        else:
            results = [self._outputs(_channels_last(_max_pooled(maps)))]
        return ov.Model(results, [images])

    def _maps(self, images: Any) -> tuple[Any, list[Any]]:
        """Returns the feature maps of the last convolution, and the input of each convolution."""
        centred = op.subtract(op.convert(images, "f32"), self._offset)
        maps = op.transpose(centred, [0, 3, 1, 2])
        inputs: list[Any] = []
        for block in BLOCKS:
            maps = _max_pooled(maps) if inputs else maps
            for layer in block:
                inputs.append(maps)
                maps = op.relu(self._convolved(layer, maps))
                # Quantised before the pooling, so that pooling works on 8 bits too.
                following = _NEXT.get(layer, "")
                if following in self._input_max:
                    maps = _steps(maps, 0, self._input_max[following], 2 * STEPS + 2)
        return maps, inputs

    def _outputs(self, values: Any) -> Any:
        """Applies the dense layers to max-pooled maps (n, height, width, channels), if any."""
        if self._dense:
            values = op.reshape(values, [0, -1], special_zero=True)
        for layer in self._dense:
            kernel, bias = self._weights[layer]
            values = op.relu(op.add(op.matmul(values, kernel, False, False), bias))
        return values

    def _convolved(self, layer: str, maps: Any) -> Any:
        kernel, bias = self._weights[layer]
        filters = op.constant(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)))
        if layer in self._input_max:
            largest = np.abs(kernel).max(axis=(0, 1, 2)).reshape(-1, 1, 1, 1)
            largest[largest == 0] = 1
            filters = _steps(filters, -largest, largest, 2 * STEPS + 1)
        convolved = op.convolution(maps, filters, [1, 1], [1, 1], [1, 1], [1, 1])
        return op.add(convolved, bias.reshape(1, -1, 1, 1))


_NEXT = dict(zip([FIRST, *QUANTISED], QUANTISED, strict=False))


def _max_pooled(maps: Any) -> Any:
    return op.max_pool(maps, [2, 2], [1, 1], [0, 0], [0, 0], [2, 2]).output(0)


def _channels_last(maps: Any) -> Any:
    return op.transpose(maps, [0, 2, 3, 1])


def _steps(values: Any, low: Any, high: Any, levels: int) -> Any:
    """Rounds values to one of `levels`, from which OpenVINO infers 8-bit computation."""
    low, high = np.float32(low), np.float32(high)
    return op.fake_quantize(values, low, high, low, high, levels)

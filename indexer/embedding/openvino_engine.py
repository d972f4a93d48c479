"""VGG16 on OpenVINO, built from the arrays of the weights: no file is converted or parsed."""

from threading import Lock
from typing import Any, Literal

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as op

from indexer.arrays import Vectors
from indexer.embedding.base import MEAN_BGR, Embedder, Maps, Photos, unit_rows
from indexer.embedding.engine import available_cores
from indexer.embedding.precision import Precision
from indexer.embedding.quantised import FIRST, QUANTISED, STEPS, InputMax
from indexer.embedding.spec import EmbeddingSpec
from indexer.embedding.weights import BLOCKS, ConvWeights

# What is compiled: for one photo, for any number, for the last maps of photos of any size, and
# for the largest input of each convolution but the first, which calibration asks for.
Use = Literal["one", "many", "maps", "input_max"]


class OpenVinoEmbedder(Embedder):
    """VGG16's convolutions, global average pooling, length 1: 512 values.

    Building it compiles the network for one photo and runs it once; what else is asked for is
    compiled when it first is.

    Args:
        threads: cores to compute on; None takes all that this process may use.
        input_max: of an int8 model; None computes in `precision` throughout.

    Raises:
        WeightsError: these weights give values that are not finite.
    """

    def __init__(
        self,
        spec: EmbeddingSpec,
        weights: ConvWeights,
        precision: Precision,
        threads: int | None = None,
        input_max: InputMax | None = None,
    ) -> None:
        self.spec = spec
        self.precision = precision
        self.runs_on = f"openvino {'int8' if input_max else precision}"
        self._network = _Network(weights, input_max or {}, precision)
        self._options = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[precision],
            "INFERENCE_NUM_THREADS": threads or available_cores(),
            # Pinned, the processes of a service would all take the first cores.
            "ENABLE_CPU_PINNING": False,
        }
        # A pass uses every core; two at once would take turns and hold twice the memory.
        self._one_at_a_time = Lock()
        self._requests: dict[Use, ov.InferRequest] = {}
        self.embed_batch(np.zeros((1, spec.input_size, spec.input_size, 3), np.uint8))

    def embed_batch(self, images: Photos) -> Vectors:
        self._check(images)
        if len(images) == 0:
            return np.empty((0, self.dimension), np.float32)
        return unit_rows(self._run("one" if len(images) == 1 else "many", images)[0])

    def activations(self, images: Photos) -> Maps:
        self._check_sides(images)
        maps: Maps = self._run("maps", images)[0]
        return maps

    def input_max(self, images: Photos) -> InputMax:
        """The largest value that goes into each convolution but the first."""
        self._check(images)
        found = zip(QUANTISED, self._run("input_max", images), strict=True)
        return {layer: float(largest) for layer, largest in found}

    def _run(self, use: Use, images: Photos) -> list[NDArray[np.float32]]:
        with self._one_at_a_time:
            if use not in self._requests:
                self._requests[use] = self._compile(use)
            # In and out by copies: the arrays are the caller's, the tensors the request's.
            results = self._requests[use].infer([np.ascontiguousarray(images)])
            return [results[number] for number in range(len(results))]

    def _compile(self, use: Use) -> ov.InferRequest:
        side = -1 if use == "maps" else self.spec.input_size
        # Sizes that are known beforehand make one photo 5 % faster.
        model = self._network.model(use, [1 if use == "one" else -1, side, side, 3])
        return ov.Core().compile_model(model, "CPU", self._options).create_infer_request()


class _Network:
    """The graph, from uint8 photos to whatever a use asks for."""

    def __init__(self, weights: ConvWeights, input_max: InputMax, precision: Precision) -> None:
        self._weights = dict(weights)
        self._input_max = input_max
        mean = np.array(MEAN_BGR[::-1], np.float32)
        # Pixels less whole numbers are exact in bfloat16, which loses most where it rounds the
        # pixels. The rest of the mean goes into the bias: exact but for the padding, which is
        # then up to 0.4 of 255 steps off.
        self._offset = np.round(mean) if precision == "bfloat16" else mean
        kernel, bias = weights[FIRST]
        kernel = kernel[:, :, ::-1]  # the weights take blue first
        rest = np.einsum("hwio,i->o", kernel, mean - self._offset)
        self._weights[FIRST] = kernel, bias - rest

    def model(self, use: Use, shape: list[int]) -> ov.Model:
        images = op.parameter(shape, ov.Type.u8)
        maps, inputs = self._maps(images)
        if use == "maps":
            results = [op.transpose(maps, [0, 2, 3, 1])]
        elif use == "input_max":
            results = [op.reduce_max(each, [0, 1, 2, 3]) for each in inputs[1:]]
        else:
            results = [op.reduce_mean(_pooled(maps), [2, 3])]
        return ov.Model(results, [images])

    def _maps(self, images: Any) -> tuple[Any, list[Any]]:
        """The last convolution's maps, and what goes into each convolution."""
        centred = op.subtract(op.convert(images, "f32"), self._offset)
        maps = op.transpose(centred, [0, 3, 1, 2])
        inputs: list[Any] = []
        for block in BLOCKS:
            maps = _pooled(maps) if inputs else maps
            for layer in block:
                inputs.append(maps)
                maps = op.relu(self._convolved(layer, maps))
                # Before the pooling, which then moves 8 bits, too.
                following = _NEXT.get(layer, "")
                if following in self._input_max:
                    maps = _steps(maps, 0, self._input_max[following], 2 * STEPS + 2)
        return maps, inputs

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


def _pooled(maps: Any) -> Any:
    return op.max_pool(maps, [2, 2], [1, 1], [0, 0], [0, 0], [2, 2]).output(0)


def _steps(values: Any, low: Any, high: Any, levels: int) -> Any:
    """Values rounded to one of `levels`, which tells OpenVINO to compute in 8 bits."""
    low, high = np.float32(low), np.float32(high)
    return op.fake_quantize(values, low, high, low, high, levels)

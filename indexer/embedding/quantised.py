"""VGG16's convolutions in 8 bits: kernels to the nearest of 255 steps per output channel, what
goes into a convolution to one of 256 steps from 0 to the largest value seen in calibration.

The first convolution stays in float: it is 1 % of the arithmetic, and its input is the pixels.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.embedding.int8 import read_record
from indexer.embedding.spec import EmbeddingSpec, file_sha256
from indexer.embedding.weights import KERNEL_SHAPES, LAYERS, ConvWeights
from indexer.errors import WeightsError

FIRST, *QUANTISED = LAYERS
STEPS = 127  # on either side of zero

InputMax = dict[str, float]  # quantised layer -> its largest input


def _fields(layer: str) -> list[tuple[str, str, tuple[int, ...]]]:
    shape = KERNEL_SHAPES[layer]
    bias = ("bias", "<f4", shape[-1:])
    if layer == FIRST:
        return [("kernel", "<f4", shape), bias]
    return [("kernel", "i1", shape), ("scale", "<f4", shape[-1:]), bias, ("input_max", "<f4", ())]


RECORD: Any = np.dtype([(layer, _fields(layer)) for layer in LAYERS])


def quantise(weights: ConvWeights, input_max: InputMax) -> bytes:
    """The record of `weights` in 8 bits."""
    record: NDArray[Any] = np.zeros((), RECORD)
    for layer, (kernel, bias) in weights.items():
        fields = record[layer]
        fields["bias"] = bias
        if layer == FIRST:
            fields["kernel"] = kernel
            continue
        largest = np.abs(kernel).max(axis=(0, 1, 2))
        # A channel of zeros, or an input that no photo excites, takes any scale.
        fields["scale"] = np.where(largest > 0, largest, 1) / STEPS
        fields["kernel"] = np.round(kernel / fields["scale"]).clip(-STEPS, STEPS)
        fields["input_max"] = input_max[layer] or 1
    return record.tobytes()


def unpack(data: bytes) -> tuple[ConvWeights, InputMax]:
    """The weights of a record as float32 values that 8 bits hold, and the ranges of inputs."""
    record = np.frombuffer(data, RECORD)[0]
    weights = {}
    for layer in LAYERS:
        fields = record[layer]
        kernel = fields["kernel"].astype(np.float32)
        if layer != FIRST:
            kernel *= fields["scale"]
        weights[layer] = kernel, fields["bias"].astype(np.float32)
    return weights, {layer: float(record[layer]["input_max"]) for layer in QUANTISED}


def load_quantised(spec: EmbeddingSpec) -> tuple[ConvWeights, InputMax]:
    """The int8 model that `spec` names.

    Raises:
        WeightsError: the file cannot be read, is not the one of `spec.weights_sha256`, or holds
            values that no calibration gives.
    """
    path = Path(spec.weights)
    if (received := file_sha256(path)) != spec.weights_sha256:
        raise WeightsError(
            f"the int8 model {path} is another one than a moment ago: SHA-256 {received},"
            f" expected {spec.weights_sha256}; start again"
        )
    weights, input_max = unpack(read_record(path, RECORD.itemsize))
    for layer, (kernel, bias) in weights.items():
        whole = np.isfinite(kernel).all() and np.isfinite(bias).all()
        if not whole or not 0 < input_max.get(layer, 1) < np.inf:
            raise WeightsError(
                f"{path}: layer {layer} has values that are not finite, or no range; calibrate"
                " again from other weights"
            )
    return weights, input_max

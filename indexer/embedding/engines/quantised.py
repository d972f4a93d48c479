"""VGG16 convolutions in 8 bits.

Kernels are rounded to 255 levels per output channel; inputs of a convolution to 256 levels
between 0 and the largest value seen in calibration. The first convolution stays in float: it
takes the raw pixels and is 1 % of the arithmetic.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.embedding.int8 import read_record
from indexer.embedding.spec import EmbeddingSpec, file_sha256
from indexer.embedding.weights import KERNEL_SHAPES, LAYERS, LayerWeights
from indexer.errors import WeightsError

FIRST, *QUANTISED = LAYERS
STEPS = 127  # levels on either side of zero

InputMax = dict[str, float]  # quantised layer -> its largest input


def _fields(layer: str) -> list[tuple[str, str, tuple[int, ...]]]:
    shape = KERNEL_SHAPES[layer]
    bias = ("bias", "<f4", shape[-1:])
    if layer == FIRST:
        return [("kernel", "<f4", shape), bias]
    return [("kernel", "i1", shape), ("scale", "<f4", shape[-1:]), bias, ("input_max", "<f4", ())]


RECORD: Any = np.dtype([(layer, _fields(layer)) for layer in LAYERS])


def quantise(weights: LayerWeights, input_max: InputMax) -> bytes:
    """Packs `weights` in 8 bits, with the input ranges, into a record."""
    record: NDArray[Any] = np.zeros((), RECORD)
    for layer, (kernel, bias) in weights.items():
        fields = record[layer]
        fields["bias"] = bias
        if layer == FIRST:
            fields["kernel"] = kernel
            continue
        largest = np.abs(kernel).max(axis=(0, 1, 2))
        # An all-zero channel, or an input that is always zero, may have any scale.
        fields["scale"] = np.where(largest > 0, largest, 1) / STEPS
        fields["kernel"] = np.round(kernel / fields["scale"]).clip(-STEPS, STEPS)
        fields["input_max"] = input_max[layer] or 1
    return record.tobytes()


def unpack(data: bytes) -> tuple[LayerWeights, InputMax]:
    """Returns the weights of a record, dequantised to float32, and the input ranges."""
    record = np.frombuffer(data, RECORD)[0]
    weights = {}
    for layer in LAYERS:
        fields = record[layer]
        kernel = fields["kernel"].astype(np.float32)
        if layer != FIRST:
            kernel *= fields["scale"]
        weights[layer] = kernel, fields["bias"].astype(np.float32)
    return weights, {layer: float(record[layer]["input_max"]) for layer in QUANTISED}


def load_quantised(spec: EmbeddingSpec) -> tuple[LayerWeights, InputMax]:
    """Loads the int8 model that `spec` names.

    Raises:
        WeightsError: the file cannot be read, does not match `spec.weights_sha256`, or holds
            values that calibration cannot produce.
    """
    path = Path(spec.weights)
    if (received := file_sha256(path)) != spec.weights_sha256:
        raise WeightsError(
            f"the int8 model {path} was replaced while it was loaded: SHA-256 {received},"
            f" expected {spec.weights_sha256}; start again"
        )
    weights, input_max = unpack(read_record(path, RECORD.itemsize))
    for layer, (kernel, bias) in weights.items():
        finite = np.isfinite(kernel).all() and np.isfinite(bias).all()
        if not finite or not 0 < input_max.get(layer, 1) < np.inf:
            raise WeightsError(
                f"{path}: layer {layer} has values that are not finite or an invalid input range;"
                " calibrate again from other weights"
            )
    return weights, input_max

"""Measures large matrix products in each precision: the limit of the processor.

    python -m benchmarks.matrix_products

The limit is the highest rate of OpenVINO's fully connected layer, its 1 x 1 convolution (which
uses other code), and TensorFlow's product.
"""

import time
from collections.abc import Callable
from importlib.util import find_spec
from statistics import median
from typing import Any, Literal

import numpy as np

from indexer.embedding.engines.precision import INT8_FLAGS, cpu_flags, resolve_precision

Product = tuple[Literal["tensorflow", "openvino"], str, str]  # engine, precision, kind
SIDE = 2048


def products() -> dict[Product, Callable[[], Any]]:
    """Returns all products that the processor and the installed engines support."""
    floats = ["float32", *({resolve_precision("auto")} - {"float32"})]
    names: list[Product] = [("tensorflow", precision, "product") for precision in floats]
    if find_spec("openvino"):
        precisions = floats + (["int8"] if INT8_FLAGS & cpu_flags() else [])
        kinds = ("product", "convolution")
        names += [("openvino", precision, kind) for precision in precisions for kind in kinds]
    return {name: matrix_product(*name) for name in names}


def matrix_product(engine: str, precision: str, kind: str) -> Callable[[], Any]:
    """Returns a function that multiplies two SIDE x SIDE matrices, one of them constant."""
    random = np.random.RandomState(0)
    one, other = (random.rand(SIDE, SIDE).astype(np.float32) for _ in range(2))
    if engine == "openvino":
        return _openvino(one, other, precision, kind)
    return _tensorflow(one, other, precision)


def _tensorflow(one: Any, other: Any, precision: str) -> Callable[[], Any]:
    import tensorflow as tf

    left, right = (tf.constant(each, precision) for each in (one, other))
    # Reduced to a scalar, so that no large result is copied.
    product: Callable[[], Any] = tf.function(lambda: tf.reduce_max(tf.matmul(left, right)))
    return product


def _openvino(one: Any, other: Any, precision: str, kind: str) -> Callable[[], Any]:
    import openvino as ov
    from openvino import opset13 as op

    from indexer.embedding import available_cores
    from indexer.embedding.engines.openvino_engine import _steps

    if kind == "convolution":  # one row per position of a picture
        width = 64
        one = np.ascontiguousarray(one.T).reshape(1, SIDE, SIDE // width, width)
        other = np.ascontiguousarray(other.T).reshape(SIDE, SIDE, 1, 1)
    images = op.parameter(list(one.shape), ov.Type.f32)
    left, right = op.relu(images), op.constant(other)
    if precision == "int8":
        left, right = _steps(left, 0, 1, 256), _steps(right, -1, 1, 255)
    if kind == "convolution":
        product = op.convolution(left, right, [1, 1], [0, 0], [0, 0], [1, 1])
    else:
        product = op.matmul(left, right, False, False)
    axes = list(range(one.ndim))
    model = ov.Model([op.reduce_max(product, axes)], [images])
    options = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bfloat16" else "f32",
        "INFERENCE_NUM_THREADS": available_cores(),
    }
    request = ov.Core().compile_model(model, "CPU", options).create_infer_request()
    return lambda: request.infer([one])


def main() -> None:
    """Runs the benchmark."""
    for name, multiply in products().items():
        seconds = []
        for _ in range(12):
            start = time.perf_counter()
            multiply()
            seconds.append(time.perf_counter() - start)
        rate = 2 * SIDE**3 / median(seconds[2:])
        print(f"{', '.join(name):<36} {rate / 1e9:>7,.0f} GFLOP/s")


if __name__ == "__main__":
    main()

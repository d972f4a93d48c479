"""OpenVINO models compiled on first use, and run one at a time."""

from collections.abc import Callable
from threading import Lock
from typing import Any, Generic, TypeVar

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from indexer.embedding.base import PixelBatch
from indexer.embedding.engines.precision import Precision
from indexer.embedding.machine import available_cores

Use = TypeVar("Use", bound=str)


class Session(Generic[Use]):
    """Variants of a model, each compiled when it is first run. Thread-safe.

    Args:
        build: returns the model of a variant, with photos as its only input.
        precision: number format of the computation.
        threads: cores to compute on; None uses all cores available to this process.
    """

    def __init__(
        self, build: Callable[[Use], ov.Model], precision: Precision, threads: int | None
    ) -> None:
        self._build = build
        self._options: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[precision],
            "INFERENCE_NUM_THREADS": threads or available_cores(),
            # With pinning, all worker processes would run on the first cores.
            "ENABLE_CPU_PINNING": False,
        }
        # One inference uses every core: two at once are no faster and take twice the memory.
        self._lock = Lock()
        self._requests: dict[Use, ov.InferRequest] = {}

    def run(self, use: Use, images: PixelBatch) -> list[NDArray[np.float32]]:
        """Returns the outputs of a variant for photos (n, height, width, 3), RGB."""
        with self._lock:
            if use not in self._requests:
                model = self._build(use)
                compiled = ov.Core().compile_model(model, "CPU", self._options)
                self._requests[use] = compiled.create_infer_request()
            # Inputs and outputs are copied: the next inference overwrites the tensors.
            results = self._requests[use].infer([np.ascontiguousarray(images)])
            return [results[number] for number in range(len(results))]

"""Which runtime computes the network, and on how many cores."""

import os
from importlib.util import find_spec
from typing import Literal

from indexer.embedding.spec import EmbeddingSpec
from indexer.errors import EngineUnavailableError

Engine = Literal["tensorflow", "openvino"]
INSTALL = "pip install -r requirements-openvino.txt"


def resolve_engine(
    requested: Literal["auto", "tensorflow", "openvino"],
    spec: EmbeddingSpec,
    installed: bool | None = None,
) -> Engine:
    """The engine to compute `spec` with; `auto` takes OpenVINO, the faster one, if it is there.

    Args:
        installed: whether OpenVINO is; None looks, without importing it.

    Raises:
        EngineUnavailableError: OpenVINO is asked for or needed, and not there or ruled out.
    """
    int8 = spec.numeric_class == "int8"
    if int8 and requested == "tensorflow":
        raise EngineUnavailableError(
            f"embedding.engine: received tensorflow, but {spec.weights} is an int8 model, which"
            " runs on openvino only; set embedding.engine to auto"
        )
    there = find_spec("openvino") is not None if installed is None else installed
    if there:
        return "tensorflow" if requested == "tensorflow" else "openvino"
    if requested == "openvino" or int8:
        what = f"the int8 model {spec.weights}" if int8 else "embedding.engine: openvino"
        raise EngineUnavailableError(f"{what} needs OpenVINO, which is not installed: {INSTALL}")
    return "tensorflow"


def available_cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1

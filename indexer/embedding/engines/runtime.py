"""Chooses the runtime of the model."""

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
    """Returns the engine for `spec`; `auto` prefers OpenVINO, which is faster, if installed.

    Args:
        requested: the setting `embedding.engine`.
        spec: the model; int8 and ONNX models need OpenVINO.
        installed: whether OpenVINO is installed; None checks without importing it.

    Raises:
        EngineUnavailableError: OpenVINO is required but not installed, or TensorFlow is
            requested for such a model.
    """
    kind = {"int8": "int8", "onnx": "ONNX"}
    special = kind.get(spec.numeric_class) or kind.get(spec.model)
    if special and requested == "tensorflow":
        raise EngineUnavailableError(
            f"embedding.engine: received tensorflow, but {spec.weights} is an {special} model,"
            " which runs on openvino only; set embedding.engine to auto"
        )
    if installed is None:
        installed = find_spec("openvino") is not None
    if installed:
        return "tensorflow" if requested == "tensorflow" else "openvino"
    if requested == "openvino" or special:
        what = f"the {special} model {spec.weights}" if special else "embedding.engine: openvino"
        raise EngineUnavailableError(f"{what} needs OpenVINO, which is not installed: {INSTALL}")
    return "tensorflow"

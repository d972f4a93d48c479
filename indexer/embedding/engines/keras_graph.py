"""Keras models for inference: frozen into graphs that TensorFlow or OpenVINO runs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from tempfile import NamedTemporaryFile
from threading import Lock
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from indexer.config import EmbeddingSettings
from indexer.embedding.base import Cells, Embedder, PixelBatch
from indexer.embedding.engines.function_embedder import FunctionEmbedder, Run
from indexer.embedding.engines.precision import Precision, faithful
from indexer.embedding.engines.quiet import import_tensorflow
from indexer.embedding.engines.runtime import resolve_engine
from indexer.embedding.engines.tensorflow_engine import limit_threads
from indexer.embedding.spec import EmbeddingSpec
from indexer.errors import UnsupportedPrecisionError

tf = import_tensorflow()


@dataclass(frozen=True)
class KerasFunction:
    """A Keras model as a function on tensors.

    Attributes:
        call: from photos, uint8 (n, height, width, 3), to a sequence of float32 outputs; see `Run`.
        side: the only height and width of photos; None for any.
        cells: see `Embedder`.
    """

    call: Callable[[Any], Sequence[Any]]
    side: int | None = None
    cells: Cells | None = None


def load_function(
    build: Callable[[], KerasFunction],
    spec: EmbeddingSpec,
    settings: EmbeddingSettings,
    threads: int | None,
) -> Embedder:
    """Loads a Keras model on the engine of the settings, and runs it once.

    TensorFlow computes in float32. OpenVINO computes in bfloat16 if that gives the same vectors.

    Args:
        build: returns the model.
        spec: the model.
        settings: engine and precision.
        threads: see `indexer.embedding.load_embedder`.

    Raises:
        EngineUnavailableError: the engine is not installed.
        UnsupportedPrecisionError: the requested precision is not supported.
        WeightsError: the model outputs values that are not finite.
    """
    engine = resolve_engine(settings.engine, spec)
    if engine == "tensorflow":
        if settings.precision == "bfloat16":
            raise UnsupportedPrecisionError(
                f"embedding.precision: received bfloat16, which {spec.model} needs openvino for;"
                " set it to auto or float32 (same fingerprint)"
            )
        limit_threads(threads)  # building a model starts TensorFlow
    function = build()
    frozen = _frozen(function)
    if engine == "tensorflow":
        return FunctionEmbedder(spec, "tensorflow float32", _on_tensorflow(frozen), function.cells)
    model = _converted(frozen)

    def load(precision: Precision) -> Embedder:
        run = _on_openvino(model, spec.input_size, precision, threads)
        return FunctionEmbedder(spec, f"openvino {precision}", run, function.cells)

    return faithful(load, settings.precision)


def _frozen(function: KerasFunction) -> Any:
    """Compiles a function with its variables as constants.

    TensorFlow runs that up to twice as fast, and OpenVINO can read it.
    """
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    signature = [tf.TensorSpec((None, function.side, function.side, 3), tf.uint8)]
    compiled = tf.function(function.call, input_signature=signature, autograph=False)
    return convert_variables_to_constants_v2(compiled.get_concrete_function())


def _on_tensorflow(frozen: Any) -> Run:
    # One inference uses every core: two at once are no faster and take twice the memory.
    lock = Lock()

    def run(images: PixelBatch) -> list[NDArray[np.float32]]:
        with lock:
            return [output.numpy() for output in frozen(tf.constant(images))]

    return run


def _converted(frozen: Any) -> Any:
    """Converts a graph to a model of OpenVINO, whose own converter would send telemetry."""
    import openvino as ov

    with NamedTemporaryFile(suffix=".pb") as file:
        file.write(frozen.graph.as_graph_def().SerializeToString())
        file.flush()
        return ov.Core().read_model(file.name)


def _on_openvino(model: Any, side: int, precision: Precision, threads: int | None) -> Run:
    from indexer.embedding.engines.openvino_session import Session

    def build(use: Literal["one", "many", "any size"]) -> Any:
        variant = model.clone()
        if use != "any size":  # static sizes make a single photo faster
            variant.reshape([1 if use == "one" else -1, side, side, 3])
        return variant

    session = Session(build, precision, threads)

    def run(images: PixelBatch) -> list[NDArray[np.float32]]:
        if images.shape[1:3] != (side, side):
            return session.run("any size", images)
        return session.run("one" if len(images) == 1 else "many", images)

    return run

"""ONNX models on OpenVINO, which reads them itself."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino.preprocess import PrePostProcessor

from indexer.embedding.base import Embedder, PixelBatch
from indexer.embedding.engines.function_embedder import FunctionEmbedder, Run
from indexer.embedding.engines.openvino_session import Session
from indexer.embedding.engines.precision import Precision, faithful
from indexer.embedding.models.model_files import require_no_pooling
from indexer.embedding.preprocessor import Preprocessor
from indexer.embedding.spec import EmbeddingSpec
from indexer.errors import ModelError

# Names that Hugging Face's models give to what describes a whole picture, the best first.
_OUTPUTS = ("image_embeds", "pooler_output", "last_hidden_state")


def load_onnx(
    path: Path,
    spec: EmbeddingSpec,
    precision: Literal["auto", "float32", "bfloat16"],
    threads: int | None,
) -> Embedder:
    """Loads a model and runs it once, in bfloat16 if that gives the same vectors.

    Its output is `image_embeds`, `pooler_output`, `last_hidden_state` or its only one: rows; tokens
    (n, tokens, d), of which the first one is the class token; or maps, which are pooled.

    Raises:
        ConfigError: the settings pool feature maps that the model does not have.
        ModelError: the file cannot be read, or is not a model of photos with such an output.
        UnsupportedPrecisionError: the requested precision is not supported.
    """
    try:
        model = ov.Core().read_model(path)
    except RuntimeError as error:
        raise ModelError(f"cannot read {path} as ONNX: {_line(error)}") from error
    one_by_one = _fix_input(model, path, spec.input_size)
    model = ov.Model([_output(model, path)], model.get_parameters())
    rank = len(model.output().partial_shape)
    if rank not in (2, 3, 4):
        raise ModelError(f"{path}: the output has shape {model.output().partial_shape}")
    if rank != 4:
        require_no_pooling(spec)
    model = _with_preparation(model, spec.preprocessor)

    def load(chosen: Precision) -> Embedder:
        run = _run(model, one_by_one, chosen, threads)
        return FunctionEmbedder(spec, f"openvino {chosen}", run)

    return faithful(load, precision)


def _fix_input(model: ov.Model, path: Path, side: int) -> bool:
    """Sets the input to photos of `side`; returns whether the model takes one photo at a time."""
    if len(model.inputs) != 1:
        names = ", ".join(each.get_any_name() for each in model.inputs)
        raise ModelError(
            f"{path}: has the inputs {names}; needed: photos only, so export the part of the model"
            " that encodes images"
        )
    shape = model.input().partial_shape
    wanted = [3, side, side]
    fits = len(shape) == 4 and all(
        each.is_dynamic or each.get_length() == length
        for each, length in zip(list(shape)[1:], wanted, strict=True)
    )
    batch = shape[0].get_length() if fits and shape[0].is_static else None
    if not fits or batch not in (None, 1):
        raise ModelError(
            f"{path}: the input has shape {shape}; needed: (n, 3, {side}, {side}), with n dynamic"
            " or 1"
        )
    try:
        model.reshape([-1 if batch is None else 1, *wanted])
    except RuntimeError as error:
        raise ModelError(f"{path}: takes no photos of {side} pixels: {_line(error)}") from error
    return batch == 1


def _output(model: ov.Model, path: Path) -> Any:
    by_name = {name: output for output in model.outputs for name in output.get_names()}
    for name in _OUTPUTS:
        if name in by_name:
            return by_name[name]
    if len(model.outputs) > 1:
        raise ModelError(
            f"{path}: has the outputs {', '.join(sorted(by_name))}; needed: one of"
            f" {', '.join(_OUTPUTS)}, or a single one"
        )
    return model.output()


def _with_preparation(model: ov.Model, preprocessor: Preprocessor | None) -> ov.Model:
    """Makes the model take uint8 photos (n, side, side, 3), and give float32."""
    prepared = PrePostProcessor(model)
    photos = prepared.input()
    photos.tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    photos.model().set_layout(ov.Layout("NCHW"))
    steps = photos.preprocess().convert_element_type(ov.Type.f32)
    if preprocessor:  # (p * scale - mean) / std, without the product
        mean, std = np.array([preprocessor.mean, preprocessor.std]) / preprocessor.scale
        steps.mean(mean.tolist()).scale(std.tolist())
    prepared.output().tensor().set_element_type(ov.Type.f32)
    return prepared.build()


def _run(model: ov.Model, one_by_one: bool, precision: Precision, threads: int | None) -> Run:
    def build(use: Literal["one", "many"]) -> ov.Model:
        variant = model.clone()
        if use == "one":  # a static batch size makes a single photo faster
            variant.reshape([1, *list(model.input().partial_shape)[1:]])
        return variant

    session = Session(build, precision, threads)

    def run(images: PixelBatch) -> list[NDArray[np.float32]]:
        if len(images) == 1 or one_by_one:
            parts = [session.run("one", image[None])[0] for image in images]
            return [_rows_or_maps(np.concatenate(parts))]
        return [_rows_or_maps(session.run("many", images)[0])]

    return run


def _rows_or_maps(outputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns rows (n, d), the first tokens, or maps (n, height, width, channels)."""
    if outputs.ndim == 3:
        return outputs[:, 0]
    return outputs.transpose(0, 2, 3, 1) if outputs.ndim == 4 else outputs


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]

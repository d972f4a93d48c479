"""Small ONNX models, such as Hugging Face's tools export, with what they compute."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

PATCH = 8  # pixels
CHANNELS = 12
CLIP: dict[str, Any] = {
    "image_processor_type": "CLIPImageProcessor",
    "size": {"shortest_edge": 40},
    "crop_size": {"height": 32, "width": 32},
    "resample": 3,
    "do_center_crop": True,
    "do_normalize": True,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "image_mean": [0.48, 0.46, 0.41],
    "image_std": [0.27, 0.26, 0.28],
}


def write_model(
    path: Path,
    outputs: Sequence[str] = ("image_embeds",),
    *,
    batch: int | str = "batch",
    side: int | str = "side",
    dimension: int = CHANNELS,
    inputs: Sequence[str] = ("pixel_values",),
    external: str | None = None,
    config: dict[str, Any] | None = CLIP,
) -> Path:
    """Writes a model that multiplies patches by a matrix, and a description of its input.

    Outputs are `image_embeds` and `pooler_output`, rows of `dimension` values, `tokens`, and any
    other name, maps. `external` is the name of the file for the weights.
    """
    random = np.random.RandomState(0)
    kernel = random.standard_normal((CHANNELS, 3, PATCH, PATCH)).astype(np.float32)
    matrix = random.standard_normal((CHANNELS, dimension)).astype(np.float32)
    nodes = [
        helper.make_node(
            "Conv", [inputs[0], "kernel"], ["maps"], strides=[PATCH] * 2, kernel_shape=[PATCH] * 2
        ),
        helper.make_node("Relu", ["maps"], ["positive"]),
        helper.make_node("GlobalAveragePool", ["positive"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("MatMul", ["flat", "matrix"], ["rows"]),
        helper.make_node("Reshape", ["positive", "lines"], ["columns"]),
        helper.make_node("Transpose", ["columns"], ["sequence"], perm=[0, 2, 1]),
    ]
    shapes: dict[str, list[int | str | None]] = {
        "rows": [batch, dimension],
        "sequence": [batch, None, CHANNELS],
        "positive": [batch, CHANNELS, None, None],
    }
    infos = []
    for name in outputs:
        source = {"image_embeds": "rows", "pooler_output": "rows", "tokens": "sequence"}.get(
            name, "positive"
        )
        name = "last_hidden_state" if name == "tokens" else name
        nodes.append(helper.make_node("Identity", [source], [name]))
        infos.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shapes[source]))
    constants: dict[str, NDArray[Any]] = {
        "kernel": kernel,
        "matrix": matrix,
        "lines": np.array([0, CHANNELS, -1], np.int64),
    }
    graph = helper.make_graph(
        nodes,
        "model",
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, 3, side, side])
            for name in inputs
        ],
        infos,
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    if external:
        onnx.save(model, path, save_as_external_data=True, location=external, size_threshold=0)
    else:
        onnx.save(model, path)
    if config is not None:
        (path.parent / "preprocessor_config.json").write_text(json.dumps(config))
    return path


def expected_maps(images: NDArray[np.uint8], config: dict[str, Any] = CLIP) -> NDArray[np.float32]:
    """The maps (n, height, width, channels) of the model for prepared photos."""
    pixels = images * np.float32(config["rescale_factor"])
    pixels = (pixels - np.float32(config["image_mean"])) / np.float32(config["image_std"])
    n, side = len(images), images.shape[1] // PATCH
    patches = pixels.reshape(n, side, PATCH, side, PATCH, 3).transpose(0, 1, 3, 5, 2, 4)
    kernel = np.random.RandomState(0).standard_normal((CHANNELS, 3 * PATCH * PATCH))
    maps = patches.reshape(n, side, side, -1) @ kernel.T.astype(np.float32)
    positive: NDArray[np.float32] = np.maximum(maps, 0)
    return positive


def expected_rows(images: NDArray[np.uint8], dimension: int = CHANNELS) -> NDArray[np.float32]:
    """The rows (n, dimension) of the model for prepared photos."""
    random = np.random.RandomState(0)
    random.standard_normal((CHANNELS, 3, PATCH, PATCH))
    matrix = random.standard_normal((CHANNELS, dimension)).astype(np.float32)
    rows: NDArray[np.float32] = expected_maps(images).mean(axis=(1, 2)) @ matrix
    return rows

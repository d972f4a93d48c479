"""Reads the convolutions of VGG16 from any weights file that Keras writes.

Arrays are read by layer name. No Keras model is built, nothing in the file is executed, and the
result is independent of the engine.
"""

import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from indexer.embedding.spec import FASHION, UNTRAINED_SEED, EmbeddingSpec, file_sha256
from indexer.errors import WeightsError

FASHION_FILE = Path(__file__).parent / "weights" / "vgg16-fashion-2.npz"

# Output channels of each convolution; pooling follows every block.
_WIDTHS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
BLOCKS = tuple(
    tuple(f"block{block}_conv{conv}" for conv in range(1, len(widths) + 1))
    for block, widths in enumerate(_WIDTHS, 1)
)
LAYERS = tuple(layer for block in BLOCKS for layer in block)
_CHANNELS = (3, *(width for widths in _WIDTHS for width in widths))
KERNEL_SHAPES = {
    layer: (3, 3, *channels) for layer, channels in zip(LAYERS, pairwise(_CHANNELS), strict=True)
}

Array = NDArray[np.float32]
ConvWeights = dict[str, tuple[Array, Array]]  # layer -> kernel (3, 3, in, out), bias (out,)


def load_weights(spec: EmbeddingSpec) -> ConvWeights:
    """Loads the 13 convolutions that `spec` names, float32, in the order of the model.

    Raises:
        WeightsError: the file cannot be downloaded or read, does not match
            `spec.weights_sha256`, or has other layers than VGG16.
    """
    if not spec.trained:
        return _he_normal(UNTRAINED_SEED)
    path = _file_of(spec.weights)
    if (received := file_sha256(path)) != spec.weights_sha256:
        raise WeightsError(
            f"the weights file {path} is damaged or was replaced: SHA-256 {received}, expected"
            f" {spec.weights_sha256}; restore it"
        )
    with _opened(path) as arrays:
        return _fitted(arrays, path)


def _file_of(weights: str) -> Path:
    if weights == FASHION:
        return FASHION_FILE
    if weights == "imagenet":
        from indexer.embedding.imagenet import fetch_imagenet

        return fetch_imagenet()
    return Path(weights)


def _he_normal(seed: int) -> ConvWeights:
    # NumPy guarantees the stream of RandomState; that of Generator may change.
    random = np.random.RandomState(seed)
    weights = {}
    for layer, shape in KERNEL_SHAPES.items():
        scale = np.sqrt(2 / np.prod(shape[:-1]))
        kernel = (random.standard_normal(shape) * scale).astype(np.float32)
        weights[layer] = kernel, np.zeros(shape[-1], np.float32)
    return weights


@contextmanager
def _opened(path: Path) -> Iterator[Mapping[str, Any]]:
    """Opens a weights file: its arrays by their path in the file, read on access."""
    try:
        if path.suffix == ".npz":
            with path.open("rb") as raw, NpzFile(raw, allow_pickle=False) as arrays:
                yield arrays
        elif path.suffix == ".keras":
            with (
                zipfile.ZipFile(path) as archive,
                archive.open("model.weights.h5") as inner,
                h5py.File(inner, "r") as file,
            ):
                yield _datasets(file)
        else:
            with h5py.File(path, "r") as file:
                yield _datasets(file)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise WeightsError(
            f"cannot read {path} as {path.suffix} weights: {' '.join(str(error).split())};"
            " save the weights again, or use a preset"
        ) from error


def _datasets(file: h5py.File) -> dict[str, h5py.Dataset]:
    found = {}

    def visit(path: str, item: object) -> None:
        # The optimiser of a compiled model has arrays under the same layer names.
        if isinstance(item, h5py.Dataset) and not path.startswith("optimizer"):
            found[path] = item

    file.visititems(visit)
    return found


def _fitted(arrays: Mapping[str, Any], path: Path) -> ConvWeights:
    found: dict[tuple[str, int], Array] = {}
    for name in arrays:
        layer = _layer_of(name)
        if layer is None:
            continue
        array = np.asarray(arrays[name], np.float32)
        if (layer, array.ndim) in found:
            raise WeightsError(f"{path}: duplicate array for layer {layer}: {name}")
        found[layer, array.ndim] = array
    unknown = sorted({layer for layer, _ in found} - set(LAYERS))
    if unknown:
        raise WeightsError(f"{path} is not VGG16: it has layers {', '.join(unknown)}")
    return {
        layer: (
            _array(found, layer, "kernel", KERNEL_SHAPES[layer], path),
            _array(found, layer, "bias", KERNEL_SHAPES[layer][-1:], path),
        )
        for layer in LAYERS
    }


def _layer_of(name: str) -> str | None:
    """Returns the layer of an array from its path in the file; None for other arrays.

    Keras 2 and its legacy format write the layer names; `.weights.h5` and `.keras` number the
    layers of a class in the order of the model: conv2d, conv2d_1, ...
    """
    for part in name.split("/"):
        if re.fullmatch(r"block\d+_conv\d+", part):
            return part
        if numbered := re.fullmatch(r"conv2d(?:_(\d+))?", part):
            index = int(numbered[1] or 0)
            return LAYERS[index] if index < len(LAYERS) else part
    return None


def _array(
    found: Mapping[tuple[str, int], Array],
    layer: str,
    what: str,
    shape: tuple[int, ...],
    path: Path,
) -> Array:
    array = found.get((layer, len(shape)))
    if array is None or array.shape != shape:
        received = "none" if array is None else array.shape
        raise WeightsError(
            f"{path}: the {what} of layer {layer} does not fit VGG16: expected shape {shape},"
            f" received {received}"
        )
    if not np.isfinite(array).all():
        raise WeightsError(f"{path}: the {what} of layer {layer} has values that are not finite")
    return array

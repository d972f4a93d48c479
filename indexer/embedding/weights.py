"""Reads the layers of VGG16 from any weights file that Keras writes.

Arrays are read by layer name. No Keras model is built, nothing in the file is executed, and the
result is independent of the engine.
"""

import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from indexer.embedding.downloads import VGG16_CLASSIFIER, VGG16_IMAGENET
from indexer.embedding.head import SUFFIX as HEAD_SUFFIX
from indexer.embedding.head import Head, HeadManifest, head_of, read_manifest
from indexer.embedding.spec import FASHION, UNTRAINED_SEED, EmbeddingSpec, require_bundled
from indexer.errors import WeightsError
from indexer.files import write_atomically

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
# The dense layers of the classifier, on the maps of side 224; the last one gives the classes.
DENSE_SHAPES = {"fc1": (7 * 7 * 512, 4096), "fc2": (4096, 4096)}
# Model -> the dense layers that follow its convolutions.
DENSE_LAYERS = {"vgg16": (), "vgg16-fc1": ("fc1",), "vgg16-fc2": ("fc1", "fc2")}

_NUMBERED_DENSE = {"dense": "fc1", "dense_1": "fc2"}

Shapes = Mapping[str, tuple[int, ...]]
Array = NDArray[np.float32]
# layer -> kernel (3, 3, in, out) or (in, out), bias (out,)
LayerWeights = dict[str, tuple[Array, Array]]


def load_weights(spec: EmbeddingSpec) -> LayerWeights:
    """Loads the layers of `spec.model`, float32, in the order of the model.

    Raises:
        WeightsError: the file cannot be downloaded or read, does not match
            `spec.weights_sha256`, or has other layers than VGG16.
    """
    dense = {layer: DENSE_SHAPES[layer] for layer in DENSE_LAYERS[spec.model]}
    shapes: Shapes = {**KERNEL_SHAPES, **dense}
    if not spec.trained:
        return _he_normal(UNTRAINED_SEED, shapes)
    require_bundled(spec)
    keras_file = VGG16_CLASSIFIER if dense else VGG16_IMAGENET
    if spec.weights == "imagenet":
        path = keras_file.fetch()
    else:
        path = FASHION_FILE if spec.weights == FASHION else Path(spec.weights)
        if (received := keras_file.identity_of(path)) != spec.weights_sha256:
            raise WeightsError(
                f"the weights file {path} is damaged or was replaced: SHA-256 {received}, expected"
                f" {spec.weights_sha256}; restore it"
            )
    with _opened(path) as arrays:
        return _fitted(arrays, shapes, path)


def load_head(spec: EmbeddingSpec) -> Head | None:
    """Loads the linear layer in the weights file of `spec`; None if it has none.

    Raises:
        WeightsError: the head cannot be read.
    """
    path = Path(spec.weights)
    if path.suffix != HEAD_SUFFIX or (manifest := read_manifest(path)) is None:
        return None
    with _opened(path) as arrays:
        return head_of(arrays, manifest, path)


def mapping(spec: EmbeddingSpec, fingerprint: str) -> Head | None:
    """Returns the head of `spec` if it maps vectors of this fingerprint to those of `spec`.

    Raises:
        WeightsError: the head cannot be read.
    """
    path = Path(spec.weights)
    manifest = read_manifest(path) if path.suffix == HEAD_SUFFIX else None
    fits = manifest and manifest.base_fingerprint == fingerprint and not spec.whitening_sha256
    return load_head(spec) if fits else None


def save_headed(path: Path, weights: LayerWeights, head: Head, manifest: HeadManifest) -> str:
    """Writes a weights file with a head atomically; layers take half their size, as float16.

    Returns:
        The SHA-256 of the file in hex.

    Raises:
        WeightsError: it cannot be written, or a weight is too large for float16.
    """
    arrays: dict[str, Any] = head.arrays(manifest)
    for layer, (kernel, bias) in weights.items():
        arrays[f"{layer}/kernel"] = kernel.astype(np.float16)
        arrays[f"{layer}/bias"] = bias.astype(np.float16)
        if not all(np.isfinite(arrays[f"{layer}/{what}"]).all() for what in ("kernel", "bias")):
            raise WeightsError(f"the weights of layer {layer} are too large for float16")
    data = io.BytesIO()
    np.savez(data, **arrays)
    try:
        write_atomically(path, data.getvalue())
    except OSError as error:
        raise WeightsError(f"cannot write {path}: {error.strerror}") from error
    return sha256(data.getvalue()).hexdigest()


def _he_normal(seed: int, shapes: Shapes) -> LayerWeights:
    # NumPy guarantees the stream of RandomState; that of Generator may change.
    random = np.random.RandomState(seed)
    weights = {}
    for layer, shape in shapes.items():
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


def _fitted(arrays: Mapping[str, Any], shapes: Shapes, path: Path) -> LayerWeights:
    found: dict[tuple[str, int], Array] = {}
    for name in arrays:
        layer = _layer_of(name)
        if layer is None or (layer in DENSE_SHAPES and layer not in shapes):
            continue
        array = np.asarray(arrays[name], np.float32)
        if (layer, array.ndim) in found:
            raise WeightsError(f"{path}: duplicate array for layer {layer}: {name}")
        found[layer, array.ndim] = array
    unknown = sorted({layer for layer, _ in found} - shapes.keys())
    if unknown:
        raise WeightsError(f"{path} is not VGG16: it has layers {', '.join(unknown)}")
    return {
        layer: (
            _array(found, layer, "kernel", shape, path),
            _array(found, layer, "bias", shape[-1:], path),
        )
        for layer, shape in shapes.items()
    }


def _layer_of(name: str) -> str | None:
    """Returns the layer of an array from its path in the file; None for other arrays.

    Keras 2 and its legacy format write the layer names; `.weights.h5` and `.keras` number the
    layers of a class in the order of the model: conv2d, conv2d_1, ..., dense, dense_1, ...
    """
    for part in name.split("/"):
        if part in DENSE_SHAPES or re.fullmatch(r"block\d+_conv\d+", part):
            return part
        if part in _NUMBERED_DENSE:
            return _NUMBERED_DENSE[part]
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

"""A linear layer on the vectors of a model, which `finetune` trains and stores with the weights.

The file is a .npz of VGG16's convolutions, named as in Keras, with `head/kernel`, `head/bias` and
`head/manifest`.
"""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from indexer.arrays import Vector, Vectors
from indexer.embedding.pooling import Pooling
from indexer.embedding.resize import ResizeMethod
from indexer.errors import WeightsError

SUFFIX = ".npz"
_KERNEL, _BIAS, _MANIFEST = "head/kernel", "head/bias", "head/manifest"
_MAX_MANIFEST = 64 * 1024  # bytes
MAX_DIMENSION = 4096


class HeadManifest(BaseModel):
    """What a head was trained for.

    Attributes:
        model: name of the model that the head follows.
        input_size: side of the input in pixels.
        resize: how photos are resized to it.
        pooling: how the last feature maps become the input of the head.
        features: length of that input.
        dimension: length of the vectors.
        base_fingerprint: of vectors that the head can be applied to; "" if the convolutions in the
            file are not those of a base model.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    input_size: int = Field(ge=32, le=512)
    resize: ResizeMethod
    pooling: Pooling
    features: int = Field(ge=1, le=MAX_DIMENSION)
    dimension: int = Field(ge=1, le=MAX_DIMENSION)
    base_fingerprint: str = Field(pattern=r"^([0-9a-f]{64})?$")


@dataclass(frozen=True)
class Head:
    """A linear map of unit vectors (n, d) to vectors (n, dimension), which are to be normalised.

    Attributes:
        kernel: float32 (d, dimension).
        bias: float32 (dimension,).
    """

    kernel: NDArray[np.float32]
    bias: Vector

    def __call__(self, vectors: Vectors) -> Vectors:
        """Returns the mapped vectors, not normalised."""
        mapped: Vectors = vectors @ self.kernel + self.bias
        return mapped

    def arrays(self, manifest: HeadManifest) -> dict[str, NDArray[Any]]:
        """Returns the arrays of the file."""
        text = manifest.model_dump_json().encode()
        return {
            _KERNEL: self.kernel,
            _BIAS: self.bias,
            _MANIFEST: np.frombuffer(text, np.uint8),
        }


def read_manifest(path: Path) -> HeadManifest | None:
    """Reads the manifest of a head; None if the file has no head.

    Raises:
        WeightsError: the manifest cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            name = f"{_MANIFEST}.npy"
            if name not in archive.namelist():
                return None
            if archive.getinfo(name).file_size > _MAX_MANIFEST:
                raise ValueError(f"{_MANIFEST} is too large")
            text = np.lib.format.read_array(io.BytesIO(archive.read(name)), allow_pickle=False)
        return HeadManifest.model_validate_json(text.tobytes())
    except zipfile.BadZipFile:
        return None  # reading the convolutions reports it
    # RuntimeError: encrypted; its subclass NotImplementedError: unknown compression.
    except (OSError, EOFError, KeyError, RuntimeError, ValueError, ValidationError) as error:
        raise _unreadable(path, str(error)) from error


def head_of(arrays: Mapping[str, Any], manifest: HeadManifest, path: Path) -> Head:
    """Returns the head of an opened file.

    Raises:
        WeightsError: arrays are missing, or have other shapes than the manifest says.
    """
    shapes = {_KERNEL: (manifest.features, manifest.dimension), _BIAS: (manifest.dimension,)}
    found = {name: np.asarray(arrays[name], np.float32) for name in shapes if name in arrays}
    for name, shape in shapes.items():
        received = found[name].shape if name in found else None
        if received != shape:
            raise _unreadable(path, f"{name}: expected shape {shape}, received {received}")
        if not np.isfinite(found[name]).all():
            raise _unreadable(path, f"{name} has values that are not finite")
    return Head(found[_KERNEL], found[_BIAS])


def _unreadable(path: Path, why: str) -> WeightsError:
    return WeightsError(
        f"cannot read the head in {path}: {' '.join(why.split())}; create the file again with"
        " `python -m indexer finetune`"
    )

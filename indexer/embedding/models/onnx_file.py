"""Any `.onnx` file of a model with photos as its only input, as Hugging Face's tools export it.

The `preprocessor_config.json` beside the file prepares photos. OpenVINO runs the model.
"""

import mmap
import re
from pathlib import Path

from indexer.config import EmbeddingSettings
from indexer.embedding.base import Embedder
from indexer.embedding.engines.runtime import resolve_engine
from indexer.embedding.models.model_files import (
    file_spec,
    preprocessor_beside,
    require_unchanged,
    sha256_of,
)
from indexer.embedding.preprocessor import FILE_NAME
from indexer.embedding.spec import EmbeddingSpec
from indexer.errors import ModelError

SUFFIX = ".onnx"
# An entry of TensorProto.external_data: StringStringEntryProto with the key `location`, then the
# tag of the value and its length as a varint of one or two bytes.
_LOCATION = re.compile(rb"\n\x08location\x12([\x80-\xff]?[\x00-\x7f])", re.DOTALL)


def resolve(settings: EmbeddingSettings) -> EmbeddingSpec:
    """Returns the spec of the settings. Hashes the files; loads no model.

    Raises:
        ConfigError: a setting contradicts the file.
        ModelError: a file cannot be read, or asks for a preparation that is not supported.
    """
    path = Path(settings.model)
    sha256, preprocessor = sha256_of(_files(path)), preprocessor_beside(path)
    if preprocessor is None:
        raise ModelError(
            f"{path} needs a {FILE_NAME} in its folder, which says how to prepare photos; Hugging"
            " Face's tools write it when they export a model"
        )
    return file_spec(settings, "onnx", sha256, preprocessor, preprocessor.side)


def load(spec: EmbeddingSpec, settings: EmbeddingSettings, threads: int | None) -> Embedder:
    """Loads the model of a spec; see `indexer.embedding.load_embedder`."""
    path = Path(spec.weights)
    require_unchanged(spec, sha256_of(_files(path)))
    resolve_engine(settings.engine, spec)
    from indexer.embedding.engines.onnx_model import load_onnx

    return load_onnx(path, spec, settings.precision, threads)


def _files(path: Path) -> list[Path]:
    """Returns the file and those that hold its weights, sorted by name.

    Raises:
        ModelError: the file cannot be read, or names a file outside its folder.
    """
    try:
        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
        ):
            names = {_name(data, match) for match in _LOCATION.finditer(data)}
    except (OSError, ValueError) as error:  # ValueError: empty, or a name is not UTF-8
        raise ModelError(f"cannot read {path}: {error}") from error
    for name in names:
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise ModelError(f"{path}: its weights are in {name!r}, which is outside its folder")
    return [path, *(path.parent / name for name in sorted(names))]


def _name(data: mmap.mmap, match: re.Match[bytes]) -> str:
    *low, high = match[1]
    length = high << 7 | low[0] & 0x7F if low else high
    return data[match.end() : match.end() + length].decode()

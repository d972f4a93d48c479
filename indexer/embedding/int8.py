"""The file of a calibrated int8 model: a zip with a manifest and one record of weights.

Read as data: sizes are known beforehand and checked before anything is unpacked, and nothing in
it is interpreted beyond numbers. `quantised` knows what the record means.
"""

import zipfile
import zlib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from indexer.embedding.resize import ResizeMethod
from indexer.errors import WeightsError
from indexer.files import replacing

SUFFIX = ".int8"
_MANIFEST, _RECORD = "manifest.json", "weights.bin"
_LARGEST_MANIFEST = 64 * 1024
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValueError)


class Manifest(BaseModel):
    """Where an int8 model comes from, and how it did on photos that it was not calibrated on.

    Attributes:
        source_sha256: of the float weights.
        overlap: share of the ten nearest photos that float32 finds too.
        max_error: largest difference of a score from float32's; `mean_error` likewise.
        photos: that it was calibrated on and measured on, together.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    source: str
    source_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    input_size: int = Field(ge=32, le=512)
    resize: ResizeMethod
    overlap: float
    max_error: float
    mean_error: float
    photos: int


def write_int8(path: Path, manifest: Manifest, record: bytes) -> None:
    """Writes the file in one step: at `path` is the old file, or all of the new one.

    Raises:
        WeightsError: it cannot be written.
    """
    try:
        # Weights hardly compress.
        with replacing(path) as file, zipfile.ZipFile(file, "w") as archive:
            archive.writestr(_MANIFEST, manifest.model_dump_json(indent=2))
            archive.writestr(_RECORD, record)
    except OSError as error:
        raise WeightsError(f"cannot write {path}: {error.strerror}") from error


def read_manifest(path: Path) -> Manifest:
    """What the file says of itself.

    Raises:
        WeightsError: it cannot be read, or is no int8 model.
    """
    data = _member(path, _MANIFEST, 2, _LARGEST_MANIFEST)
    try:
        return Manifest.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise _unreadable(path, f"{_MANIFEST}: {where}: {first['msg']}") from error


def read_record(path: Path, size: int) -> bytes:
    """The record of weights, which has `size` bytes.

    Raises:
        WeightsError: it cannot be read, is damaged or has another size.
    """
    return _member(path, _RECORD, size, size)


def _member(path: Path, name: str, smallest: int, largest: int) -> bytes:
    try:
        with zipfile.ZipFile(path) as archive:
            size = archive.getinfo(name).file_size
            if not smallest <= size <= largest:
                raise _unreadable(path, f"{name} has {size} bytes, expected {largest} at most")
            with archive.open(name) as file:  # checks the sum at the end
                data = file.read(largest) + file.read(1)
    # RuntimeError: encrypted; its subclass NotImplementedError: a compression nobody uses.
    except (OSError, *_DAMAGE, RuntimeError) as error:
        raise _unreadable(path, error) from error
    if len(data) != size:
        raise _unreadable(path, f"{name} has {len(data)} bytes, but claims {size}")
    return data


def _unreadable(path: Path, why: object) -> WeightsError:
    return WeightsError(
        f"cannot read {path} as an int8 model: {' '.join(str(why).split())}; make it again with"
        " `python -m indexer calibrate`"
    )

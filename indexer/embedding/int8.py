"""The file of a calibrated int8 model: a zip with a manifest and one record of weights.

The file is read as plain data: sizes are checked before anything is unpacked, and nothing in it
is executed. `quantised` defines the layout of the record.
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
_MAX_MANIFEST = 64 * 1024
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValueError)


class Manifest(BaseModel):
    """Origin of an int8 model, and its accuracy on photos that were not used to calibrate it.

    Attributes:
        source: preset or path of the float weights.
        source_sha256: SHA-256 of the float weights.
        overlap: share of the ten nearest neighbours that float32 finds too.
        max_error: largest absolute difference of a score from float32.
        mean_error: mean absolute difference of a score from float32.
        photos: number of photos for calibration and measurement together.
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
    """Writes the file atomically: `path` holds either the old file or the complete new one.

    Raises:
        WeightsError: the file cannot be written.
    """
    try:
        # Stored uncompressed, because weights hardly compress.
        with replacing(path) as file, zipfile.ZipFile(file, "w") as archive:
            archive.writestr(_MANIFEST, manifest.model_dump_json(indent=2))
            archive.writestr(_RECORD, record)
    except OSError as error:
        raise WeightsError(f"cannot write {path}: {error.strerror}") from error


def read_manifest(path: Path) -> Manifest:
    """Reads the manifest of an int8 model.

    Raises:
        WeightsError: the file cannot be read or is not an int8 model.
    """
    data = _member(path, _MANIFEST, 2, _MAX_MANIFEST)
    try:
        return Manifest.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise _unreadable(path, f"{_MANIFEST}: {where}: {first['msg']}") from error


def read_record(path: Path, size: int) -> bytes:
    """Reads the record of weights, which must have `size` bytes.

    Raises:
        WeightsError: the record cannot be read, is damaged or has another size.
    """
    return _member(path, _RECORD, size, size)


def _member(path: Path, name: str, smallest: int, largest: int) -> bytes:
    try:
        with zipfile.ZipFile(path) as archive:
            size = archive.getinfo(name).file_size
            if not smallest <= size <= largest:
                raise _unreadable(path, f"{name} has {size} bytes, expected at most {largest}")
            with archive.open(name) as file:  # reading to the end verifies the CRC
                data = file.read(largest) + file.read(1)
    # RuntimeError: encrypted; its subclass NotImplementedError: unknown compression.
    except (OSError, *_DAMAGE, RuntimeError) as error:
        raise _unreadable(path, error) from error
    if len(data) != size:
        raise _unreadable(path, f"{name} has {len(data)} bytes, expected {size}")
    return data


def _unreadable(path: Path, why: object) -> WeightsError:
    return WeightsError(
        f"cannot read {path} as an int8 model: {' '.join(str(why).split())}; create it again with"
        " `python -m indexer calibrate`"
    )

"""The manifest of a snapshot: what it holds, and the checksums of its files."""

from collections.abc import Iterator
from hashlib import file_digest
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from indexer.maintenance.attachments import Attachment

FileName = Annotated[str, Field(pattern=r"^(photos/[0-9a-f]{2}/)?[\w-][\w.-]*$")]


class FileRecord(BaseModel):
    """Size and SHA-256 of a file of a snapshot."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bytes: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> "FileRecord":
        """Reads a file.

        Raises:
            OSError: it cannot be read.
        """
        with path.open("rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
            return cls(bytes=file.tell(), sha256=digest)


class Manifest(BaseModel):
    """The contents of a snapshot.

    `schema_version` is that of the catalogue. `embedding` has the fields that the fingerprint
    covers; None if they were not recorded. `attachments` were included; `missing_photos` is the
    number of uploads that were missing or damaged.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    created_at: str
    software_version: str
    schema_version: int
    seq: int
    products: int
    images: int
    fingerprint: str | None
    weights: str | None
    embedding: dict[str, str | int] | None = None
    attachments: tuple[Attachment, ...] = ()
    missing_photos: int = 0
    files: dict[FileName, FileRecord]


def damage(folder: Path, manifest: Manifest) -> Iterator[str]:
    """Compares the files in a folder with a manifest; yields a line for each difference."""
    for name, expected in manifest.files.items():
        path = folder / name
        try:
            found = FileRecord.of(path)
        except OSError as error:
            yield f"{path}: cannot be read: {error.strerror}"
        else:
            if found.bytes != expected.bytes:
                yield f"{path}: has {found.bytes} bytes, expected {expected.bytes}"
            elif found != expected:
                yield f"{path}: damaged, wrong SHA-256"

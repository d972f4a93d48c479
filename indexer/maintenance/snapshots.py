"""Snapshots: verified copies of a catalogue, its segment and attachments, one folder each."""

import re
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from indexer import __version__
from indexer.errors import CatalogError
from indexer.files import storage_error, sync, writer_lock
from indexer.maintenance.attachments import ATTACHMENTS, Attachment, copy_shared, copy_uploads
from indexer.maintenance.manifest import FileRecord, Manifest, damage
from indexer.maintenance.staging import copies_named, staged
from indexer.maintenance.verify import verify_catalog, verify_segment
from indexer.store.embedded.catalog import Catalog
from indexer.store.embedded.catalog.catalog import FILE_NAME as CATALOG
from indexer.store.embedded.catalog.schema import MIGRATIONS, now
from indexer.store.embedded.catalog.segments import current_segment

_MANIFEST = "manifest.json"
_MANIFEST_SUM = "manifest.json.sha256"  # in the format of `sha256sum`
# A compaction may replace the segment, or a change delete an upload, between reading its name and
# opening it.
_ATTEMPTS = 5
_NAME = "%Y%m%dT%H%M%S.%fZ"  # of a snapshot: when it was created, in UTC


class SnapshotError(CatalogError):
    """A snapshot cannot be created or used."""

    code = "bad_snapshot"


@dataclass(frozen=True)
class Entry:
    """A snapshot in a list. If `manifest` is None, `problem` is the reason."""

    name: str
    manifest: Manifest | None
    problem: str = ""


class Snapshots:
    """The snapshots of one collection, in a folder.

    The name of a snapshot is that of its folder, or the absolute path of a copy of it.

    Args:
        folder: of the snapshots.
        wait_s: seconds to wait for another process that creates or removes snapshots.
    """

    def __init__(self, folder: Path, wait_s: float = 0) -> None:
        self.folder = folder
        self._wait_s = wait_s

    def create(
        self, catalog: Catalog, attachments: Collection[Attachment] = ATTACHMENTS
    ) -> Manifest:
        """Creates a snapshot of the catalogue; searches and writes continue meanwhile.

        Args:
            catalog: of the collection.
            attachments: what to include besides the catalogue.

        Raises:
            LockedError: another process is creating or removing snapshots.
            SnapshotError: the catalogue or its segment is damaged.
            StorageError: the disk is full or read-only.
        """
        with errors_named(f"cannot create a snapshot in {self.folder}"):
            self.folder.mkdir(parents=True, exist_ok=True)
            with writer_lock(self.folder, self._wait_s), staged(self.folder) as stage:
                created_at = now()
                with copies_named(stage, catalog.folder):
                    copy_shared(catalog.folder.parent, stage, attachments)
                    missing = self._copy_catalog(catalog, stage, "photos" in attachments)
                    manifest = _describe(stage, created_at).model_copy(
                        update={
                            "attachments": tuple(a for a in ATTACHMENTS if a in attachments),
                            "missing_photos": missing,
                        }
                    )
                (stage / _MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n")
                (stage / _MANIFEST_SUM).write_text(_sum_of_manifest(stage))
                for path in (*stage.rglob("*"), stage):
                    sync(path)
                stage.rename(self.folder / manifest.name)
                sync(self.folder)
        return manifest

    def _copy_catalog(self, catalog: Catalog, stage: Path, uploads: bool) -> int:
        """Copies catalogue, segment and uploads as of one `seq`; returns the missing uploads."""
        names = self._names()
        earlier = self.folder / names[-1] if names else None
        for attempt in range(_ATTEMPTS):
            again = attempt + 1 < _ATTEMPTS
            with catalog.reader() as reader:
                missing = copy_uploads(reader, catalog.folder, stage, earlier) if uploads else 0
                if missing and again:
                    continue
                if segment := current_segment(reader):
                    try:
                        shutil.copyfile(segment.path, stage / segment.path.name)
                    except FileNotFoundError:
                        if again:
                            continue
                        raise _broken_segment(f"{segment.path}: is missing") from None
                reader.copy_to(stage / CATALOG)
                break
        return missing

    def entries(self) -> list[Entry]:
        """Returns all snapshots, oldest first; reads only their manifests."""
        entries = []
        for name in self._names():
            try:
                entries.append(Entry(name, self.manifest(name)))
            except SnapshotError as error:
                entries.append(Entry(name, None, str(error)))
        return entries

    def newest(self) -> datetime | None:
        """Returns when the newest snapshot was created; None if there is none. Reads names only."""
        for name in reversed(self._names()):
            with suppress(ValueError):  # a folder that was named by hand
                return datetime.strptime(name, _NAME).replace(tzinfo=UTC)
        return None

    def verify(self, name: str) -> list[str]:
        """Verifies a snapshot; returns a line for each problem that names the file.

        Raises:
            SnapshotError: there is no snapshot with this name.
        """
        folder = self.find(name)
        try:
            return list(damage(folder, self.manifest(name)))
        except SnapshotError as error:
            return [str(error)]

    def prune(self, keep: int) -> list[str]:
        """Removes all but the newest `keep` snapshots; returns the names of the removed ones.

        The newest intact snapshot is always kept.

        Raises:
            LockedError: another process is creating or removing snapshots.
            SnapshotError: a folder cannot be removed.
        """
        if not self.folder.is_dir():
            return []
        locked = writer_lock(self.folder, self._wait_s)
        with errors_named(f"cannot remove snapshots in {self.folder}"), locked:
            old = self.prunable(keep)
            for name in old:
                # Renamed first, so that a partly removed one is never listed.
                with staged(self.folder) as stage:
                    (self.folder / name).rename(stage / name)
        return old

    def prunable(self, keep: int) -> list[str]:
        """Returns the names of the snapshots that `prune` would remove, sorted."""
        names = self._names()[::-1]
        whole = next((i for i, name in enumerate(names) if not self.verify(name)), 0)
        return sorted(name for i, name in enumerate(names) if i >= keep and i != whole)

    def exists(self, name: str) -> bool:
        """Returns whether there is a snapshot with this name."""
        return (self.folder / name).is_dir() and not name.startswith(".")

    def find(self, name: str) -> Path:
        """Returns the folder of a snapshot.

        Raises:
            SnapshotError: there is no snapshot with this name.
        """
        if not self.exists(name):
            known = ", ".join(self._names()) or "none"
            raise SnapshotError(f"no snapshot {name!r} in {self.folder}; existing: {known}")
        return self.folder / name

    def manifest(self, name: str) -> Manifest:
        """Reads the manifest of a snapshot.

        Raises:
            SnapshotError: there is no snapshot with this name, or its manifest is damaged.
        """
        folder = self.find(name)
        try:
            if (folder / _MANIFEST_SUM).read_bytes() != _sum_of_manifest(folder).encode():
                raise SnapshotError(f"{folder / _MANIFEST}: differs from {_MANIFEST_SUM}")
            return Manifest.model_validate_json((folder / _MANIFEST).read_bytes())
        except OSError as error:
            raise SnapshotError(f"{folder}: its manifest cannot be read: {error}") from error
        except ValidationError as error:
            raise SnapshotError(
                f"{folder / _MANIFEST}: written by another version of this software:"
                f" {error.errors()[0]['msg']}"
            ) from error

    def _names(self) -> list[str]:
        if not self.folder.is_dir():
            return []
        return sorted(
            path.name
            for path in self.folder.iterdir()
            if path.is_dir() and not path.name.startswith(".")
        )


@contextmanager
def errors_named(what: str) -> Iterator[None]:
    """Translates errors of the operating system; their text starts with `what`.

    Raises:
        DiskFullError: the disk is full.
        ReadOnlyError: the disk is read-only.
        SnapshotError: any other error.
    """
    try:
        yield
    except OSError as error:
        raise storage_error(what, error, SnapshotError) from error


def _broken_segment(finding: str) -> SnapshotError:
    return SnapshotError(
        f"no snapshot was created: {finding}; run `compact`, which writes the index file again"
    )


def _describe(stage: Path, created_at: str) -> Manifest:
    """Verifies the copied files, and returns their manifest.

    Raises:
        SnapshotError: the catalogue is damaged.
    """
    copied = (path for path in stage.rglob("*") if path.is_file())
    files = sorted(str(path.relative_to(stage)) for path in copied)
    copy = Catalog(stage)
    try:
        if found := verify_catalog(copy):
            first = f" (the first of {len(found)} findings)" if len(found) > 1 else ""
            raise SnapshotError(
                f"no snapshot was created, because the catalogue is damaged: {found[0]}{first};"
                " see `verify`"
            )
        for finding in verify_segment(copy):
            raise _broken_segment(finding)
        with copy.reader() as reader:
            products, images = reader.counts()
            described = {
                "seq": reader.seq,
                "products": products,
                "images": images,
                "fingerprint": reader.fingerprint,
                "weights": reader.meta("weights"),
                "embedding": reader.embedding_fields,
            }
    finally:
        copy.close()  # removes the log and the shared-memory file
    return Manifest(
        name=re.sub(r"[-:]|\+.*", "", created_at) + "Z",
        created_at=created_at,
        software_version=__version__,
        schema_version=len(MIGRATIONS),
        files={name: FileRecord.of(stage / name) for name in files},
        **described,
    )


def _sum_of_manifest(folder: Path) -> str:
    return f"{FileRecord.of(folder / _MANIFEST).sha256}  {_MANIFEST}\n"

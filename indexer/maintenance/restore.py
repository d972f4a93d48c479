"""Restores a catalogue from a snapshot."""

import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from indexer.embedding import EmbeddingSpec
from indexer.embedding.kinds import IMPORTED, Kind, difference
from indexer.errors import DamagedError, FingerprintMismatchError
from indexer.files import sync, writer_lock
from indexer.maintenance.attachments import ATTACHMENTS, Attachment, attachment_of, put_back
from indexer.maintenance.manifest import Manifest, damage
from indexer.maintenance.snapshots import SnapshotError, Snapshots, errors_named
from indexer.maintenance.staging import copies_named, staged
from indexer.maintenance.verify import verify_catalog, verify_segment
from indexer.store.embedded.catalog import Catalog
from indexer.store.embedded.catalog.catalog import FILE_NAME as CATALOG
from indexer.store.embedded.catalog.high_water_mark import FILE_NAME as MARK
from indexer.store.embedded.catalog.high_water_mark import HighWaterMarkFile
from indexer.store.embedded.catalog.schema import now
from indexer.store.embedded.catalog.segments import record_segment
from indexer.store.embedded.index import FILES


@dataclass(frozen=True)
class Restored:
    """The result of a restore.

    Attributes:
        manifest: of the snapshot.
        seq: of the catalogue now.
        aside: folder to which a damaged catalogue was moved; None if there was none.
        attachments: those that were written.
    """

    manifest: Manifest
    seq: int
    aside: Path | None
    attachments: Sequence[Attachment]


@dataclass(frozen=True)
class Plan:
    """What a restore would do.

    Attributes:
        manifest: of the snapshot.
        catalogue: the state of the present one.
    """

    manifest: Manifest
    catalogue: Literal["missing", "undamaged", "damaged"]


def plan(
    snapshots: Snapshots,
    name: str,
    folder: Path,
    spec: EmbeddingSpec,
    allowed: str | None = None,
    *,
    attachments: Collection[Attachment] = ATTACHMENTS,
) -> Plan:
    """Checks a snapshot and the catalogue in `folder`; see `restore`.

    Raises:
        SnapshotError: the snapshot is damaged.
        FingerprintMismatchError: its embeddings were made with other settings.
    """
    source, manifest = snapshots.find(name), _without(snapshots.manifest(name), attachments)
    _require_kind(manifest, spec, allowed)
    _require_intact(source, manifest)
    if not (folder / CATALOG).is_file():
        return Plan(manifest, "missing")
    present = _whole(folder)
    if present:
        present.close()
    return Plan(manifest, "undamaged" if present else "damaged")


def restore(
    snapshots: Snapshots,
    name: str,
    folder: Path,
    spec: EmbeddingSpec,
    allowed: str | None = None,
    *,
    wait_s: float = 0,
    attachments: Collection[Attachment] = ATTACHMENTS,
) -> Restored:
    """Restores the catalogue in `folder` from a snapshot.

    An intact catalogue is changed in one transaction, which running services pick up; equal data
    is not written. A damaged one is moved aside and replaced, and services open the new one. Files
    of the data directory are written only if there are none: see `attachments`.

    Args:
        snapshots: of the collection.
        name: of the snapshot.
        folder: of the collection.
        spec: of the configured model.
        allowed: prefix of another fingerprint that the snapshot may have.
        wait_s: seconds to wait for another process that is writing.
        attachments: what to restore besides the catalogue.

    Raises:
        LockedError: another process is writing to the collection.
        SnapshotError: the snapshot is damaged, or cannot be unpacked.
        DiskFullError: there is no space to unpack the snapshot.
        FingerprintMismatchError: its embeddings were made with other settings.
    """
    source = snapshots.find(name)
    manifest = _without(snapshots.manifest(name), attachments)
    _require_kind(manifest, spec, allowed)
    with errors_named(f"cannot restore to {folder}"):
        folder.mkdir(parents=True, exist_ok=True)
        live = _whole(folder, wait_s)
        if live is None:
            with writer_lock(folder, wait_s), _unpacked(source, manifest, folder) as stage:
                done = put_back(stage, folder)
                aside = _replace(folder, stage)
            live = Catalog(folder)
        else:
            aside = None
            done = _change(live, source, manifest)
    with live.reader() as reader:
        seq = reader.seq
    live.close()
    return Restored(manifest, seq, aside, done)


def _without(manifest: Manifest, attachments: Collection[Attachment]) -> Manifest:
    """Returns a manifest without the files of other attachments."""
    wanted = {None, *attachments}
    files = {name: file for name, file in manifest.files.items() if attachment_of(name) in wanted}
    return manifest.model_copy(update={"files": files})


def _change(live: Catalog, source: Path, manifest: Manifest) -> list[Attachment]:
    """Makes an intact catalogue equal to a snapshot, in one transaction."""
    with live.writer() as writer, _unpacked(source, manifest, live.folder) as stage:
        done = put_back(stage, live.folder)
        copy = Catalog(stage)
        with copy.reader() as wanted:
            writer.copy_from(wanted)
        copy.close()
        if verify_segment(live):
            record_segment(writer, None)
    return done


def _require_kind(manifest: Manifest, spec: EmbeddingSpec, allowed: str | None) -> None:
    found = manifest.fingerprint
    if found is None or found in (spec.fingerprint, IMPORTED):
        return
    if allowed and found.startswith(allowed):
        return
    reason = difference(Kind(found, str(manifest.weights), manifest.embedding), spec)
    raise FingerprintMismatchError(
        f"snapshot {manifest.name}: {reason}; restore the old settings, or pass"
        f" --allow-fingerprint {found[:12]}"
    )


def _whole(folder: Path, wait_s: float = 0) -> Catalog | None:
    """Opens the catalogue in a folder; None if it does not exist or is damaged.

    Raises:
        CatalogError: it cannot be read at the moment.
    """
    if not (folder / CATALOG).is_file():
        return None
    try:
        catalog = Catalog(folder, wait_s=wait_s)
    except DamagedError:
        return None
    if verify_catalog(catalog):
        catalog.close()
        return None
    return catalog


@contextmanager
def _unpacked(source: Path, manifest: Manifest, folder: Path) -> Iterator[Path]:
    """Copies the files of a snapshot to the disk of the catalogue, and verifies the copies."""
    with staged(folder) as stage, copies_named(stage, source):
        for name in manifest.files:
            if (source / name).is_file():
                (stage / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source / name, stage / name)
        _require_intact(stage, manifest)
        yield stage


def _require_intact(folder: Path, manifest: Manifest) -> None:
    for finding in damage(folder, manifest):
        raise SnapshotError(f"snapshot {manifest.name} is damaged: {finding}")


def _replace(folder: Path, stage: Path) -> Path | None:
    """Moves the files of the catalogue aside and those of `stage` to their place.

    If interrupted, there is no catalogue and the restore can be repeated. The high-water mark
    stays until the end, so that no new catalogue can be created meanwhile.
    """
    copy = Catalog(stage)
    if mark := HighWaterMarkFile(folder).read():
        with copy.writer() as writer:
            writer.advance_past(mark)
    copy.close()
    damaged = [p for pattern in (f"{CATALOG}*", FILES) for p in folder.glob(pattern)]
    aside = folder / f"damaged-{now().replace(':', '')}" if damaged else None
    if aside:
        aside.mkdir()
        for path in damaged:
            path.rename(aside / path.name)
    # The catalogue follows the segments that it refers to; its high-water mark is last.
    for pattern in (FILES, CATALOG, MARK):
        for path in stage.glob(pattern):
            sync(path)
            path.rename(folder / path.name)
            sync(folder)
    return aside

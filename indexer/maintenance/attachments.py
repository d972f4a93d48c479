"""What a recovery elsewhere needs besides a catalogue: uploads, API keys, events, judgements.

Uploads belong to a collection. The other files are those of the data directory, for all
collections. A restore writes them only if there are none, so that a key that was revoked after the
snapshot stays revoked.
"""

import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import suppress
from hashlib import file_digest
from pathlib import Path
from typing import Literal, get_args

from indexer.access import keys
from indexer.events import ids, ratings, store
from indexer.files import replacing, sync
from indexer.sqlite.database import copy_database
from indexer.store.embedded.catalog import CatalogReader
from indexer.store.places import UPLOADS

Attachment = Literal["photos", "keys", "events", "ratings"]
ATTACHMENTS: tuple[Attachment, ...] = get_args(Attachment)

# Files of the data directory, with their permissions.
_SHARED: dict[Attachment, dict[str, int]] = {
    "keys": {keys.FILE_NAME: 0o600},
    "events": {ids.FILE_NAME: 0o600, store.FILE_NAME: 0o644},
    "ratings": {ratings.FILE_NAME: 0o644},
}


def attachment_of(name: str) -> Attachment | None:
    """Returns what a file of a snapshot belongs to; None for the catalogue and its index."""
    if name.startswith(f"{UPLOADS}/"):
        return "photos"
    return next((each for each, files in _SHARED.items() if name in files), None)


def copy_shared(data_dir: Path, stage: Path, wanted: Collection[Attachment]) -> None:
    """Copies the files of a data directory to a snapshot; databases as of one moment.

    Raises:
        CatalogError: a database is damaged or cannot be read.
        OSError: a file cannot be read or written.
    """
    for name, mode in _files(wanted):
        source, target = data_dir / name, stage / name
        if source.is_file():
            if source.suffix == ".db":
                copy_database(source, target)
            else:
                shutil.copyfile(source, target)
            target.chmod(mode)


def copy_uploads(reader: CatalogReader, folder: Path, stage: Path, earlier: Path | None) -> int:
    """Copies the uploads of a catalogue to a snapshot; returns how many are missing or damaged.

    Photos that an earlier snapshot has become hard links to its files, which never change.

    Args:
        reader: of the catalogue.
        folder: of the collection.
        stage: of the snapshot; files that it has already are skipped.
        earlier: the newest other snapshot; None if there is none.

    Raises:
        OSError: a photo cannot be written.
    """
    places = {image.location for image in reader.uploads()}
    missing = 0
    for place in sorted(places):
        target = stage / place
        if target.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if earlier and _linked(earlier / place, target):
            continue
        with suppress(FileNotFoundError):
            shutil.copyfile(folder / place, target)
        if not _is_intact(target):
            target.unlink(missing_ok=True)
            missing += 1
    return missing


def put_back(stage: Path, folder: Path) -> list[Attachment]:
    """Moves the attachments of an unpacked snapshot to a collection and its data directory.

    Args:
        stage: the unpacked snapshot, on the disk of the collection.
        folder: of the collection; the caller holds its lock.

    Returns:
        Those whose files were written; files of the data directory that exist are kept.

    Raises:
        OSError: a file cannot be written.
    """
    done: list[Attachment] = []
    for path in sorted((stage / UPLOADS).glob("*/*")):
        target = folder / path.relative_to(stage)
        target.parent.mkdir(parents=True, exist_ok=True)
        sync(path)
        path.replace(target)
        done = ["photos"]
    if done:
        for changed in (*(folder / UPLOADS).iterdir(), folder / UPLOADS, folder):
            sync(changed)
    for attachment, files in _SHARED.items():
        present = [name for name in files if (stage / name).is_file()]
        if present and not any((folder.parent / name).exists() for name in files):
            for name in present:
                for rest in folder.parent.glob(f"{name}-*"):
                    rest.unlink()  # the log of a deleted database, which SQLite would apply
                with (
                    (stage / name).open("rb") as source,
                    replacing(folder.parent / name, mode=files[name]) as target_file,
                ):
                    shutil.copyfileobj(source, target_file)
            done.append(attachment)
    return done


def _files(wanted: Collection[Attachment]) -> Iterator[tuple[str, int]]:
    for attachment, files in _SHARED.items():
        if attachment in wanted:
            yield from files.items()


def _linked(source: Path, target: Path) -> bool:
    """Links a photo of another snapshot, unless it is missing or damaged."""
    try:
        os.link(source, target)
    except OSError:  # missing, or a file system without links
        return False
    if not _is_intact(target):
        target.unlink()
        return False
    return True


def _is_intact(path: Path) -> bool:
    """Returns whether an upload has the content that its name tells."""
    try:
        with path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest() == path.stem
    except FileNotFoundError:
        return False

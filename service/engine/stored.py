"""Metrics of what is on disk, read when `/metrics` is asked for."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from indexer.config import Settings
from indexer.errors import ImageSearchError
from indexer.ingest import last_sync
from indexer.maintenance.snapshots import Snapshots
from indexer.store.embedded.catalog import Catalog
from service.engine import metrics
from service.engine.states import STATUSES, CollectionState

_OUTCOMES = ("added", "updated", "removed", "unchanged", "rejected")


def observe(
    settings: Settings, states: Iterable[CollectionState], catalogs: dict[str, Catalog]
) -> None:
    """Sets the gauges of disks, collections, syncs, snapshots and journals. Takes milliseconds.

    Args:
        settings: with the folders.
        states: of all collections.
        catalogs: of the open collections on this machine.
    """
    for state in states:
        for status in STATUSES:
            metrics.STATUS.labels(state.name, status).set(status == state.status)
        _observe_sync(state.name, settings.folder_of(state.name))
        if settings.index.backend == "faiss":  # collections in Milvus have no snapshots here
            snapshots = settings.snapshots_of(state.name)
            metrics.SNAPSHOT.labels(state.name).set(_newest(snapshots))
            _observe_disk("snapshots", snapshots)
    for name, catalog in catalogs.items():
        with suppress(ImageSearchError), catalog.reader() as reader:  # the state tells why
            metrics.JOURNAL.labels(name).set(reader.journal_rows())
    _observe_disk("data", settings.storage.data_dir)


def _newest(snapshots: Path) -> float:
    """Returns the time of the newest snapshot; 0 if there is none or the folder is unreadable."""
    try:
        newest = Snapshots(snapshots).newest()
    except OSError:  # such as a network file system that is away
        return 0
    return newest.timestamp() if newest else 0


def _observe_sync(name: str, folder: Path) -> None:
    done = last_sync.read(folder)
    metrics.SYNC.labels(name).set(done.finished_at.timestamp() if done else 0)
    if done:
        metrics.SYNC_SECONDS.labels(name).set(done.seconds)
        for outcome in _OUTCOMES:
            metrics.SYNC_PRODUCTS.labels(name, outcome).set(getattr(done, outcome))


def _observe_disk(name: str, folder: Path) -> None:
    """Sets the size and the free space of the disk of a folder, or of the nearest one above it."""
    with suppress(OSError):
        while not folder.is_dir() and folder != folder.parent:
            folder = folder.parent
        disk = os.statvfs(folder)
        metrics.DISK_FREE.labels(name).set(disk.f_bavail * disk.f_frsize)
        metrics.DISK_SIZE.labels(name).set(disk.f_blocks * disk.f_frsize)

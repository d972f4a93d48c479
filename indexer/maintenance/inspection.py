"""Reads a snapshot without changing it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from indexer.maintenance.snapshots import Snapshots, errors_named
from indexer.maintenance.staging import copies_named
from indexer.store.embedded.catalog import Catalog
from indexer.store.embedded.catalog.catalog import FILE_NAME as CATALOG


@contextmanager
def opened(snapshots: Snapshots, name: str) -> Iterator[Catalog]:
    """Opens a temporary copy of a snapshot's catalogue: opening a catalogue writes beside it.

    Raises:
        SnapshotError: there is no snapshot with this name, or it cannot be copied.
        CatalogError: it is damaged.
    """
    source = snapshots.find(name)
    with TemporaryDirectory() as folder, copies_named(Path(folder), source):
        with errors_named(f"cannot copy {source}"):
            shutil.copyfile(source / CATALOG, Path(folder, CATALOG))
        catalog = Catalog(Path(folder))
        try:
            yield catalog
        finally:
            catalog.close()

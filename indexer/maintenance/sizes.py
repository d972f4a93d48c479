"""Sizes of the files of a collection."""

import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from indexer.store.embedded import attributes, neighbours
from indexer.store.embedded.catalog.catalog import FILE_NAME as CATALOG
from indexer.store.embedded.index import FILES
from indexer.store.places import UPLOADS


@dataclass(frozen=True)
class Sizes:
    """Bytes of the files of a collection, and what is free on their disk."""

    catalogue: int
    index: int
    attributes: int
    neighbours: int
    uploads: int
    free: int


def sizes(folder: Path) -> Sizes:
    """Measures the files of a collection.

    Args:
        folder: of the collection; it exists.
    """
    return Sizes(
        catalogue=_bytes(folder.glob(f"{CATALOG}*")),
        index=_bytes(folder.glob(FILES)),
        attributes=_bytes([attributes.table_path(folder)]),
        neighbours=_bytes([neighbours.table_path(folder)]),
        uploads=_bytes((folder / UPLOADS).glob("*/*")),
        free=shutil.disk_usage(folder).free,
    )


def _bytes(files: Iterable[Path]) -> int:
    total = 0
    for file in files:
        with suppress(FileNotFoundError):  # replaced meanwhile
            total += file.stat().st_size
    return total

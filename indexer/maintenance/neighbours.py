"""Writes the table of precomputed neighbours of a catalogue, and keeps it up to date."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from indexer.errors import CatalogError, LockedError
from indexer.files import storage_error, sync
from indexer.store.embedded.catalog import Catalog, CatalogReader
from indexer.store.embedded.catalog.segments import images_changed_since
from indexer.store.embedded.index import View
from indexer.store.embedded.mapped_arrays import locked
from indexer.store.embedded.neighbours import (
    CatalogImages,
    Collection,
    NeighboursError,
    Origin,
    Progress,
    Table,
    built,
    continues,
    exact_lists,
    is_usable,
    open_table,
    read_header,
    table_path,
    updated,
    write_table,
)
from indexer.store.embedded.store import EmbeddedStore

log = logging.getLogger(__name__)

DEFAULT_K = 50
# Changed images: from this number, commands that change the catalogue update the table.
_MIN_CHANGES = 100
# Above this share of all images, unless there are few images, they leave it to the command
# `neighbours`, because it takes minutes.
_MAX_CHANGED = 0.1
_FEW_IMAGES = 20_000
# From this share, a new table is built, because that is faster than an update.
_REBUILT = 0.25
_ROWS = 8192
_VERIFIED = 100  # lists


@dataclass(frozen=True)
class Outcome:
    """What became of the table of a catalogue.

    Args:
        action: `built`, `updated` or `unchanged`.
        k: neighbours of each product.
        seq: that the table is of.
        products: lists in the table.
        bytes: size of the file.
    """

    action: str
    k: int
    seq: int
    products: int
    bytes: int


@dataclass(frozen=True)
class State:
    """The state of a table compared with its catalogue.

    Args:
        k: neighbours of each product.
        seq: that the table is of.
        changed_images: added or removed since.
        is_continued: whether the catalogue is a later version of the one it was made from.
        in_use: whether searches use it, unless it is damaged behind the header.
    """

    k: int
    seq: int
    changed_images: int
    is_continued: bool
    in_use: bool


def bring_up_to_date(catalog: Catalog, k: int | None, progress: Progress) -> Outcome:
    """Builds the table, or updates it if it is of an earlier version of the catalogue.

    Searches and writers continue meanwhile. If this is interrupted, the previous table remains.

    Args:
        catalog: to read.
        k: neighbours of each product; None keeps that of the present table.
        progress: called with the number of products done, first with 0 when the work begins.

    Raises:
        LockedError: another process is writing the table.
        NeighboursError: there are no embeddings yet, or the file cannot be written.
        CatalogError: the catalogue is damaged.
    """
    path = table_path(catalog.folder)
    with locked(path):
        present = _present(path)
        k = k or (present.k if present else DEFAULT_K)
        with EmbeddedStore(catalog).search_reader(attributes=False) as found:
            previous = present if _can_be_updated(found.reader, present, k) else None
            if previous:
                changed = found.reader.changes_since(previous.origin.seq).product_ids
                if not changed:
                    return _outcome("unchanged", path, previous)
            collection = _collection(found.reader, found.view)
        progress(0)  # nothing can be refused any more
        if previous:
            action, table = "updated", updated(previous, collection, changed, progress)
        else:
            action, table = "built", built(collection, k, progress)
        write_table(path, table)
    return _outcome(action, path, table)


def update_when_due(catalog: Catalog) -> None:
    """Updates the table, if there is one, after commands that changed many images.

    Errors are logged, because no change is lost.
    """
    try:
        found = state_of(catalog)
        if found is None or (found.in_use and found.changed_images < _MIN_CHANGES):
            return
        with catalog.reader() as reader:
            _, images = reader.counts()
        few_changes = found.is_continued and found.changed_images <= _MAX_CHANGED * images
        if few_changes or images <= _FEW_IMAGES:
            bring_up_to_date(catalog, None, lambda _: None)
        else:
            log.warning("the table of similar products is out of date: run `neighbours`")
    except LockedError:
        return  # being updated
    except CatalogError as error:
        log.warning("the changes are stored, but the similar products are not updated: %s", error)


def drop(catalog: Catalog) -> bool:
    """Deletes the table; returns whether there was one.

    Raises:
        LockedError: another process is writing the table.
        StorageError: the disk refuses it.
    """
    path = table_path(catalog.folder)
    with locked(path):
        try:
            path.unlink()
            sync(path.parent)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise storage_error(f"{path}: cannot be deleted", error) from error
    return True


def differences(catalog: Catalog) -> Iterator[str]:
    """Verifies the table; compares a sample of the lists that searches use with exact ones.

    Yields a line for each problem.

    Raises:
        NeighboursError: the table is damaged.
        CatalogError: the catalogue is damaged.
    """
    path = table_path(catalog.folder)
    if not path.is_file():
        return
    k = open_table(path).k
    with EmbeddedStore(catalog).search_reader(attributes=False) as found:
        product_ids = list(found.reader.product_ids())
        sample = product_ids[:: max(1, len(product_ids) // _VERIFIED)]
        stored = found.neighbours(sample, 1 + k)
        if not stored:  # of no product, because the table is too old
            return
        collection = _collection(found.reader, found.view)
    photos = collection.photos
    numbers = np.array([photos.number_of(product_id) for product_id in stored])
    exact = exact_lists(photos, collection.vectors, numbers, 1 + k, 1 + k, lambda _: None)
    for product_id, candidates, places in zip(stored, stored.values(), exact.places, strict=True):
        found_ids = candidates.image_ids
        if (found_ids != photos.ids[places[: len(found_ids)]]).any():
            yield f"{path}: the neighbours of {product_id!r} are wrong; run `neighbours --drop`"


def state_of(catalog: Catalog) -> State | None:
    """Returns the state of the table by its header; None if there is none.

    Raises:
        NeighboursError: the header is damaged.
        CatalogError: the catalogue is damaged.
    """
    try:
        k, origin = read_header(table_path(catalog.folder))
    except FileNotFoundError:
        return None
    with catalog.reader() as reader:
        changed = images_changed_since(reader, origin.seq)
        usable = is_usable(reader, origin)
        return State(k, origin.seq, changed, continues(reader, origin), usable)


def damage_of(catalog: Catalog) -> str:
    """Verifies the checksums of the table; returns what is damaged, "" if nothing is."""
    try:
        open_table(table_path(catalog.folder))
    except FileNotFoundError:
        return ""
    except NeighboursError as error:
        return str(error)
    return ""


def _can_be_updated(reader: CatalogReader, table: Table | None, k: int) -> bool:
    return (
        table is not None
        and table.k == k
        and continues(reader, table.origin)
        and images_changed_since(reader, table.origin.seq) < _REBUILT * reader.counts()[1]
    )


def _collection(reader: CatalogReader, view: View) -> Collection:
    if reader.fingerprint is None or reader.dimension is None:
        raise NeighboursError("the catalogue holds no embeddings yet: add products first")
    origin = Origin(reader.fingerprint, reader.generation, reader.seq, reader.end.chain)
    photos = CatalogImages.of((image.product_id, image.image_id) for image in reader.all_images())
    vectors = np.empty((len(photos.ids), reader.dimension), np.float32)
    for start in range(0, len(vectors), _ROWS):
        rows = slice(start, start + _ROWS)
        vectors[rows] = view.vectors(photos.ids[rows])
    return Collection(origin, photos, vectors)


def _present(path: Path) -> Table | None:
    try:
        return open_table(path)
    except FileNotFoundError:
        return None
    except NeighboursError as error:
        log.warning("%s; building a new one", error)
        return None


def _outcome(action: str, path: Path, table: Table) -> Outcome:
    return Outcome(action, table.k, table.origin.seq, len(table.photos), path.stat().st_size)

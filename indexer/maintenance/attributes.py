"""Writes the file of a catalogue's attributes, so that processes need not read all products."""

import logging
from collections.abc import Callable, Iterator

from indexer.errors import CatalogError, LockedError
from indexer.store.embedded.attributes import (
    AttributesError,
    Origin,
    Table,
    advanced,
    differences,
    open_table,
    read_origin,
    stored_table,
    table_path,
    write_table,
)
from indexer.store.embedded.catalog import Catalog, CatalogReader
from indexer.store.embedded.catalog.attributes import products_changed_since
from indexer.store.embedded.catalog.segments import folder_of
from indexer.store.embedded.mapped_arrays import locked

log = logging.getLogger(__name__)

# Changes since the file, at least and as a share of the products, from which it is written again.
# A process that opens the file reads the changed products in about a second, at most.
_MIN_CHANGES = 1000
_CHANGED = 0.02


def renew(catalog: Catalog) -> None:
    """Writes the file from all products. Errors are logged, because nothing is lost."""
    _write(catalog, Table.of)


def update(catalog: Catalog) -> None:
    """Writes the file from the present one and the products changed since, if there are any.

    Errors are logged, because nothing is lost.
    """
    _write(catalog, _updated)


def update_when_due(catalog: Catalog) -> None:
    """Updates the file if enough products have changed; takes the same time for any catalogue."""
    with catalog.reader() as reader:
        products, _ = reader.counts()
        if reader.seq - _stored_seq(reader) < max(_MIN_CHANGES, _CHANGED * products):
            return
    update(catalog)


def problems(catalog: Catalog) -> Iterator[str]:
    """Compares the file, if there is one of this catalogue, with all products.

    Yields a line for each problem.

    Raises:
        AttributesError: the file is damaged.
        CatalogError: the catalogue is damaged.
    """
    path = table_path(catalog.folder)
    if not path.is_file():
        return
    origin, stored = open_table(path)
    with catalog.reader() as reader:
        changed = products_changed_since(reader, origin.seq) if origin.precedes(reader) else None
        if changed is None:
            return
        found = stored.advanced(
            reader.seq, sorted(changed), list(reader.products(changed).values())
        )
        expected = Table.of(reader, stored.hashing)
    for difference in differences(found, expected):
        yield f"{path}: differs from the catalogue: {difference}; run `rebuild`"


def _write(catalog: Catalog, table_of: Callable[[CatalogReader], Table | None]) -> None:
    """Writes the table that a function makes, unless it is None or empty."""
    path = table_path(catalog.folder)
    try:
        with locked(path):
            with catalog.reader() as reader:
                origin, table = Origin.of(reader), table_of(reader)
            if table is not None and len(table):
                write_table(path, origin, table.merged())
    except LockedError:
        return  # being written
    except CatalogError as error:
        log.warning("the attributes are not stored for the next start: %s", error)


def _updated(reader: CatalogReader) -> Table | None:
    stored = stored_table(reader)
    if stored is not None and stored.seq == reader.seq:
        return None
    return advanced(stored, reader)


def _stored_seq(reader: CatalogReader) -> int:
    """Returns the `seq` of the file; 0 if there is none for this catalogue."""
    try:
        origin = read_origin(table_path(folder_of(reader)))
    except (AttributesError, FileNotFoundError):
        return 0
    return origin.seq if origin.precedes(reader) else 0

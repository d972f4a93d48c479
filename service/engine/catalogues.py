"""Opens the catalogues of collections, and says what an operator can do about a missing one."""

from indexer.config import DEFAULT_COLLECTION, Settings
from indexer.errors import CatalogMissingError, DamagedError
from indexer.maintenance.verify import verify_catalog
from indexer.store.embedded.catalog import Catalog
from indexer.store.embedded.catalog.catalog import FILE_NAME


def open_catalog(settings: Settings, collection: str) -> Catalog:
    """Opens the catalogue of a collection.

    The service never creates one, because a mistyped or unmounted folder would look like an
    empty store.

    Raises:
        CatalogMissingError: the collection has no catalogue.
    """
    folder, data_dir = settings.folder_of(collection), settings.storage.data_dir
    if not (folder / FILE_NAME).is_file():
        what = "has no catalogue" if data_dir.is_dir() else "does not exist"
        place = folder if data_dir.is_dir() else data_dir
        raise CatalogMissingError(
            f"{place.absolute()} {what}; correct the setting storage.data_dir, mount the disk,"
            f" or make the catalogue with {_command(collection, 'sync FEED')} or"
            f" {_command(collection, 'init')}"
        )
    return Catalog(folder)


def empty(settings: Settings, collection: str) -> str:
    """Says that a catalogue is empty, and how to fill it."""
    return (
        f"the catalogue in {settings.folder_of(collection).absolute()} is empty (setting"
        f" storage.data_dir); fill it with {_command(collection, 'sync FEED')}"
    )


def require_undamaged(catalog: Catalog) -> None:
    """Reads and checks all stored data.

    Raises:
        DamagedError: the catalogue is damaged.
    """
    for finding in verify_catalog(catalog):
        raise DamagedError(finding)


def _command(collection: str, command: str) -> str:
    option = "" if collection == DEFAULT_COLLECTION else f" --collection {collection}"
    return f"`python -m indexer{option} {command}`"

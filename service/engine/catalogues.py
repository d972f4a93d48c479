"""Opens collections, and says what an operator can do about a missing one."""

from pathlib import Path

from indexer.backend import open_collection, verify
from indexer.config import DEFAULT_COLLECTION, Settings
from indexer.errors import CatalogMissingError, DamagedError
from indexer.maintenance.verify import verify_catalog
from indexer.store import Store
from indexer.store.embedded.store import EmbeddedStore


def open_store(settings: Settings, collection: str) -> Store:
    """Opens a collection.

    The service never creates one, because a mistyped or unmounted folder would look like an
    empty store.

    Raises:
        CatalogMissingError: the collection does not exist.
    """
    try:
        return open_collection(settings, collection)
    except CatalogMissingError as error:
        raise CatalogMissingError(
            f"{_missing(settings, collection) or error.text}, or make the catalogue with"
            f" {_command(collection, 'sync FEED')} or {_command(collection, 'init')}"
        ) from error


def empty(settings: Settings, store: Store, collection: str) -> str:
    """Says that a collection is empty, and how to fill it."""
    if isinstance(store, EmbeddedStore):
        where = f"the catalogue in {store.folder.absolute()} is empty (setting storage.data_dir)"
    else:
        where = f"the collection in Milvus at {settings.milvus.uri} is empty (setting milvus.uri)"
    return f"{where}; fill it with {_command(collection, 'sync FEED')}"


def require_undamaged(store: Store) -> None:
    """Reads and checks all stored data.

    Raises:
        DamagedError: the collection is damaged.
    """
    found = verify_catalog(store.catalog) if isinstance(store, EmbeddedStore) else verify(store)
    for finding in found:
        raise DamagedError(finding)


def _missing(settings: Settings, collection: str) -> str:
    """Says what the embedded store lacks; "" for another backend."""
    if settings.index.backend != "faiss":
        return ""
    folder, data_dir = settings.folder_of(collection), settings.storage.data_dir
    what = "has no catalogue" if data_dir.is_dir() else "does not exist"
    place: Path = folder if data_dir.is_dir() else data_dir
    return f"{place.absolute()} {what}; correct the setting storage.data_dir, mount the disk"


def _command(collection: str, command: str) -> str:
    option = "" if collection == DEFAULT_COLLECTION else f" --collection {collection}"
    return f"`python -m indexer{option} {command}`"

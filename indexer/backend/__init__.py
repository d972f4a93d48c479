"""Opens and verifies collections on the backend that the settings name."""

from indexer.config import Settings
from indexer.maintenance.verify import verify as verify_embedded
from indexer.maintenance.verify import verify_uploads
from indexer.store import Store
from indexer.store.embedded.catalog import Catalog
from indexer.store.embedded.store import EmbeddedStore


def open_collection(
    settings: Settings, collection: str, *, create: bool = False, wait_s: float = 0
) -> Store:
    """Opens a collection.

    Args:
        settings: with the backend.
        collection: its name.
        create: create it if it does not exist.
        wait_s: seconds that `writer` waits for another process.

    Raises:
        UnknownCollectionError: no collection with this name is configured.
        CatalogMissingError: it does not exist and `create` is False.
        CatalogError: the backend is not available, or the collection is damaged.
        ConfigError: the backend needs a library that is not installed.
    """
    folder = settings.folder_of(collection)
    if settings.index.backend == "milvus":
        from indexer.store.milvus.store import MilvusStore  # an optional library

        return MilvusStore(settings.milvus, collection, folder, create=create, wait_s=wait_s)
    return EmbeddedStore(Catalog(folder, create=create, wait_s=wait_s))


def verify(store: Store) -> list[str]:
    """Verifies everything that a collection stores; returns a line for each problem.

    Raises:
        CatalogError: the collection cannot be read at the moment.
    """
    if isinstance(store, EmbeddedStore):
        return verify_embedded(store.catalog) + verify_uploads(store.catalog)
    from indexer.store.milvus.verification import verify as verify_rows

    return verify_rows(store)

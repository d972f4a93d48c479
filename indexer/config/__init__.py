"""Settings: one table drives validation, `config.yaml`, `--help` and the documentation.

A value comes from the default in `settings`, then from the YAML file, then from the
environment variable `IMAGE_SEARCH_<SECTION>_<KEY>`. Relative paths in the file are
relative to the file; those in the environment, to the working directory.
"""

from indexer.config.loading import Setting, load_settings, table
from indexer.config.settings import (
    DEFAULT_COLLECTION,
    AccessSettings,
    CollectionSettings,
    EmbeddingSettings,
    EventsSettings,
    FetchSettings,
    IndexSettings,
    ServiceSettings,
    Settings,
    StorageSettings,
)

__all__ = [
    "DEFAULT_COLLECTION",
    "AccessSettings",
    "CollectionSettings",
    "EmbeddingSettings",
    "EventsSettings",
    "FetchSettings",
    "IndexSettings",
    "ServiceSettings",
    "Setting",
    "Settings",
    "StorageSettings",
    "load_settings",
    "table",
]

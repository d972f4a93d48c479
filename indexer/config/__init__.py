"""Settings: one table drives validation, `config.yaml`, `--help` and the documentation.

The environment variable `IMAGE_SEARCH_<SECTION>_<KEY>` overrides the YAML file, which overrides
the default in the code. Paths in the file are relative to the file, paths in the environment
to the working directory.
"""

from indexer.config.embedding import EmbeddingSettings
from indexer.config.loading import (
    DEFAULT_FILE,
    PREFIX,
    Setting,
    load_settings,
    replaced,
    table,
)
from indexer.config.milvus import MilvusSettings
from indexer.config.service import AccessSettings, ServiceSettings
from indexer.config.settings import (
    CURRENT,
    DEFAULT_COLLECTION,
    CollectionSettings,
    EventsSettings,
    FetchSettings,
    IndexSettings,
    RatingsSettings,
    Settings,
    StorageSettings,
)

__all__ = [
    "CURRENT",
    "DEFAULT_COLLECTION",
    "DEFAULT_FILE",
    "PREFIX",
    "AccessSettings",
    "CollectionSettings",
    "EmbeddingSettings",
    "EventsSettings",
    "FetchSettings",
    "IndexSettings",
    "MilvusSettings",
    "RatingsSettings",
    "ServiceSettings",
    "Setting",
    "Settings",
    "StorageSettings",
    "load_settings",
    "replaced",
    "table",
]

"""Changes products during searches, and compacts the catalogue when that is due."""

import logging
from collections.abc import Callable, Sequence
from threading import Thread

from indexer.config import Settings
from indexer.embedding.photos import QueryEmbedder
from indexer.errors import ImageSearchError
from indexer.fetch import PhotoSource
from indexer.ingest.editing import Change, Done, Editor, Result
from indexer.maintenance.compaction import compact_when_due
from indexer.search import Searcher
from indexer.store import Store
from indexer.store.embedded.catalog import Catalog
from indexer.store.embedded.store import EmbeddedStore

log = logging.getLogger(__name__)


class ProductEditing:
    """Changes the products of collections. Thread-safe.

    Args:
        settings: of photos, fetching and the index.
    """

    def __init__(self, settings: Settings) -> None:
        self._index = settings.index
        self._photos = PhotoSource(settings.images.limits(), settings.fetch, settings.photo_cache)

    def apply(
        self,
        store: Store,
        searcher: Searcher,
        embedder: Callable[[], QueryEmbedder],
        changes: Sequence[Change],
    ) -> list[Result]:
        """Makes changes; returns the result of each, in order. A failed change stops no other."""
        results = Editor(store, searcher, embedder, self._photos).apply(changes)
        changed = any(isinstance(r, Done) and r.outcome != "unchanged" for r in results)
        if changed and isinstance(store, EmbeddedStore):
            # In the background: compacting a large catalogue takes half a minute, every 100,000
            # changes.
            Thread(
                target=self._compact, args=(store.catalog,), name="compactor", daemon=True
            ).start()
        return results

    def _compact(self, catalog: Catalog) -> None:
        try:
            compact_when_due(catalog, self._index)
        except ImageSearchError as error:  # the next change tries again
            log.warning("%s is not compacted: %s", catalog.folder, error)

"""The collections of one process: opened, warmed and kept up to date. No Flask in here."""

import logging
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from indexer.config import EmbeddingSettings, Settings
from indexer.embedding import Embedder, available_cores, load_embedder
from indexer.errors import ImageSearchError
from indexer.fetch import PhotoSource
from indexer.interchange.transfer import IMPORTED
from indexer.search import Searcher
from indexer.store.embedded.catalog import Catalog
from indexer.store.embedded.store import EmbeddedStore
from service.engine.admission import Admission
from service.engine.batching import Lane
from service.engine.originals import Originals
from service.engine.query_photos import QueryPhotos
from service.errors import ImageUrlDisabledError, NotReadyError
from service.http import metrics

log = logging.getLogger(__name__)

# A change of the catalogue is visible within a second; asking for one takes microseconds.
_REFRESH_INTERVAL_S = 0.2
_NICE = 10
# A shopper waits for a photo that a query names, and a thread of the service with them.
_PHOTO_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class CollectionState:
    """What `/readyz` says of a collection. `detail` explains every status but `ready`."""

    name: str
    status: str
    detail: str = ""
    products: int = 0
    seq: int = 0
    weights: str = ""
    trained: bool = True
    photo_search: bool = False


class SearchService:
    """Answers queries on every configured collection.

    Args:
        settings: of storage and embedding.
        load: makes an embedder, by default on this process's share of the cores; it is called
            once for collections of equal settings.

    Attributes:
        admission: whom to ask before a search.
        originals: the photos of the catalogues.
    """

    def __init__(
        self, settings: Settings, load: Callable[[EmbeddingSettings], Embedder] | None = None
    ) -> None:
        self._settings = settings
        # Processes that compute on every core each would only take turns.
        threads = max(1, available_cores() // settings.service.workers)
        self._load = load or partial(load_embedder, threads=threads)
        self._photos: dict[EmbeddingSettings, QueryPhotos] = {}
        own = settings.service
        self.admission = Admission(own.max_in_flight, own.max_wait_s, self._seconds_per_photo)
        self._stores: dict[str, EmbeddedStore] = {}
        self._searchers: dict[str, Searcher] = {}
        self._failures: dict[str, str] = {}
        timeout_s = min(settings.fetch.timeout_s, _PHOTO_TIMEOUT_S)
        self._addresses = PhotoSource(
            settings.images.limits(),
            settings.fetch.model_copy(update={"timeout_s": timeout_s}),
            only_hosts=settings.service.image_url_hosts,
        )
        self.originals = Originals(settings)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="refresher", daemon=True)

    @classmethod
    def started(cls, settings: Settings) -> "SearchService":
        """A service that opens its collections in the background."""
        service = cls(settings)
        service.start()
        return service

    def start(self) -> None:
        """Opens the collections in the background, then follows their changes."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the background work and closes the catalogues."""
        self._stopped.set()
        self._thread.join()
        for photos in self._photos.values():
            photos.lane.stop()
        for store in self._stores.values():
            store.close()

    def searcher(self, collection: str) -> Searcher:
        """
        Raises:
            UnknownCollectionError: no collection of this name is configured.
            NotReadyError: it is still being opened, or could not be.
        """
        self._settings.embedding_of(collection)
        searcher = self._searchers.get(collection)
        if searcher is None:
            reason = self._failures.get(collection, "the model is being loaded; try again soon")
            raise NotReadyError(f"collection {collection!r} is not ready: {reason}")
        return searcher

    def store(self, collection: str) -> EmbeddedStore:
        """Where a collection that is ready is kept."""
        return self._stores[collection]

    def photos(self, collection: str) -> QueryPhotos:
        """The photos of queries to a collection that is ready."""
        return self._photos[self._settings.embedding_of(collection)]

    def photo_at(self, url: str) -> bytes:
        """The photo at an address that a query names.

        Raises:
            ImageUrlDisabledError: no host is allowed.
            FetchError: this one is not, or does not give a photo.
        """
        if not self._settings.service.image_url_hosts:
            raise ImageUrlDisabledError(
                "image_url is off; send the photo itself, or name the hosts of photos in"
                " service.image_url_hosts"
            )
        return self._addresses.read(url)

    def states(self) -> list[CollectionState]:
        """The state of every collection, by name."""
        return [self._state(name) for name in self._settings.collection_names()]

    def _state(self, name: str) -> CollectionState:
        if name in self._failures:
            return CollectionState(name, "failed", self._failures[name])
        if name not in self._searchers:
            return CollectionState(name, "starting", "the model is being loaded")
        searcher = self._searchers[name]
        own = searcher.spec
        with searcher.store.reader() as reader:
            fingerprint = reader.fingerprint or own.fingerprint
            products, _ = reader.counts()
            weights = reader.weights or own.weights
        # Imported vectors are meant to be of another network; any others are not.
        fits = fingerprint in (own.fingerprint, IMPORTED)
        return CollectionState(
            name,
            "ready" if fits else "mismatch",
            "" if fits else f"its vectors are of {weights}, the settings say {own.weights}",
            products=products,
            seq=searcher.store.seq,
            weights=weights,
            trained=own.trained,
            photo_search=fingerprint == own.fingerprint,
        )

    def _run(self) -> None:
        _yield_to_requests()
        for name in self._settings.collection_names():
            try:
                self._searchers[name] = self._open(name)
            except ImageSearchError as error:
                log.error("collection %s: %s", name, error)
                self._failures[name] = str(error)
            except Exception:
                log.exception("collection %s cannot be opened", name)
                self._failures[name] = "an unexpected error; it was logged"
        while not self._stopped.wait(_REFRESH_INTERVAL_S):
            for searcher in self._searchers.values():
                try:
                    self._refresh(searcher)
                except Exception:  # the next change may be a good one
                    log.exception("collection %s cannot be refreshed", searcher.name)

    def _open(self, name: str) -> Searcher:
        store = EmbeddedStore(Catalog(self._settings.folder_of(name), create=True))
        photos = self._photos_of(self._settings.embedding_of(name))
        embedder = photos.lane.embedder
        hides = self._settings.hides_out_of_stock(name)
        searcher = Searcher(name, store, embedder.spec, photos, hide_out_of_stock=hides)
        self._refresh(searcher)
        searcher.warm_up()
        self._stores[name] = store
        own = embedder.spec
        metrics.MODEL.labels(name, own.fingerprint, own.weights, embedder.runs_on).set(1)
        return searcher

    def _photos_of(self, settings: EmbeddingSettings) -> QueryPhotos:
        if settings not in self._photos:
            own = self._settings.service
            self._photos[settings] = QueryPhotos(
                Lane(self._load(settings)),
                self._settings.images.limits(),
                remembered=own.cached_photos,
                deadline_s=own.deadline_s,
            )
        return self._photos[settings]

    def _refresh(self, searcher: Searcher) -> None:
        searcher.store.refresh()
        metrics.VIEW_SEQ.labels(searcher.name).set(searcher.store.seq)
        metrics.VIEW_CURRENT.labels(searcher.name).set_to_current_time()
        for part, images in searcher.store.index_sizes().items():
            metrics.VIEW_IMAGES.labels(searcher.name, part).set(images)

    def _seconds_per_photo(self) -> float:
        return max((photos.lane.seconds_per_photo for photos in self._photos.values()), default=0)


def _yield_to_requests() -> None:
    """Lowers the priority of this thread, and of the network's, which it starts.

    A request needs the processor for a millisecond; a pass of the network would make it wait.
    """
    if sys.platform == "linux":  # elsewhere it would be that of the whole process
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)

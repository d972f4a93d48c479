"""The collections of one process: opened, warmed up and kept up to date."""

import logging
import threading
from collections.abc import Callable, Sequence
from functools import partial

from indexer.config import EmbeddingSettings, Settings
from indexer.embedding import Embedder, available_cores, load_embedder
from indexer.embedding.kinds import IMPORTED, difference, kind_of, way_out
from indexer.errors import DamagedError, ImageSearchError
from indexer.fetch import PhotoSource
from indexer.ingest.editing import Change, Result
from indexer.search import Searcher
from indexer.store import Store
from indexer.store.embedded.store import EmbeddedStore
from service.engine import metrics
from service.engine.admission import Admission, Limits
from service.engine.catalogues import empty, open_store, require_undamaged
from service.engine.editing import ProductEditing
from service.engine.models import Models
from service.engine.opened import OpenedCollections, failure_of
from service.engine.originals import Originals
from service.engine.query_embedder import QueryEmbedder
from service.engine.sizing import model_threads, thumbnail_threads
from service.engine.states import MISMATCH, MISSING, NO_MODEL, READY, STARTING, CollectionState
from service.engine.stored import observe
from service.engine.thumbnails import Thumbnails
from service.errors import CollectionMissingError, ImageUrlDisabledError, NotReadyError

log = logging.getLogger(__name__)

# Limit on fetching a photo by URL: a shopper and a thread of the service wait for it.
_PHOTO_TIMEOUT_S = 10.0


class SearchService:
    """Answers queries on every configured collection.

    Args:
        settings: of storage and embedding.
        load: loads an embedder; called once for collections with equal settings. By default the
            configured one, for the share of the cores of one of `processes`.
        processes: number of processes of the service.

    Attributes:
        admission: limits the requests in progress.
        originals: the photos of the catalogues.
        thumbnails: small versions of these photos.
    """

    def __init__(
        self,
        settings: Settings,
        load: Callable[[EmbeddingSettings], Embedder] | None = None,
        processes: int = 1,
    ) -> None:
        self._settings = settings
        threads = model_threads(available_cores(), processes)
        self._models = Models(settings, load or partial(load_embedder, threads=threads))
        limits = settings.service
        self.admission = Admission(
            Limits.of(limits.max_in_flight), limits.max_wait_s, self._models.seconds_per_photo
        )
        self._stores: dict[str, Store] = {}
        self._opened = OpenedCollections(
            settings.collection_names(), self._open, self._refresh, self._load_model
        )
        timeout_s = min(settings.fetch.timeout_s, _PHOTO_TIMEOUT_S)
        self._addresses = PhotoSource(
            settings.images.limits(),
            settings.fetch.model_copy(update={"timeout_s": timeout_s}),
            only_hosts=settings.service.image_url_hosts,
        )
        self.originals = Originals(settings)
        self.thumbnails = Thumbnails(
            settings,
            self.originals,
            self.admission,
            thumbnail_threads(available_cores(), processes),
        )
        self._editing = ProductEditing(settings)

    @classmethod
    def started(cls, settings: Settings, processes: int) -> "SearchService":
        """Creates a service that opens its collections in the background; arguments as above."""
        service = cls(settings, processes=processes)
        service.start()
        return service

    def start(self) -> None:
        """Opens the collections in the background and follows their changes."""
        self._opened.start()

    @property
    def tried(self) -> threading.Event:
        """Set when each collection was opened, or could not be."""
        return self._opened.tried

    def stop(self) -> None:
        """Stops the background work and closes the catalogues."""
        self.thumbnails.stop()
        self._opened.stop()
        self._models.stop()

    def searcher(self, collection: str) -> Searcher:
        """Returns the searcher of a collection that is ready.

        Raises:
            UnknownCollectionError: no collection with this name is configured.
            NotReadyError: the collection is not open.
            CollectionMissingError: the collection has no catalogue.
        """
        self._settings.embedding_of(collection)
        searcher = self._opened.searcher(collection)
        if searcher is None:
            failure = self._opened.failure(collection)
            if failure and failure.status == MISSING:
                raise CollectionMissingError(
                    f"collection {collection!r} has no catalogue now; ask the operator of this"
                    " service",
                    failure.detail,
                )
            if failure:
                raise NotReadyError(
                    f"collection {collection!r} could not be opened; ask the operator of this"
                    " service",
                    failure.detail,
                )
            raise NotReadyError(f"collection {collection!r} is still being opened; try again soon")
        return searcher

    def store(self, collection: str) -> Store:
        """Returns the store of a collection that is ready.

        Raises:
            UnknownCollectionError, NotReadyError: as `searcher`.
        """
        self.searcher(collection)
        return self._stores[collection]

    def change(self, collection: str, changes: Sequence[Change]) -> list[Result]:
        """Changes products; returns the result of each change, in order.

        Raises:
            UnknownCollectionError, NotReadyError: as `searcher`.
            OverloadedError: too many requests change products already.
        """
        searcher, store = self.searcher(collection), self.store(collection)
        with self.admission.admit("change"):
            embedder = partial(self.embedder, collection)
            return self._editing.apply(store, searcher, embedder, changes)

    def embedder(self, collection: str) -> QueryEmbedder:
        """Returns the embedder for photos of queries to an open collection.

        Raises:
            NotReadyError: the model could not be loaded.
        """
        return self._models.embedder(self._settings.embedding_of(collection))

    def photo_at(self, url: str) -> bytes:
        """Fetches the photo at a URL in a query.

        Raises:
            ImageUrlDisabledError: no host is allowed.
            FetchError: the host is not allowed, or does not return a photo.
        """
        if not self._settings.service.image_url_hosts:
            raise ImageUrlDisabledError(
                "image_url is disabled on this service; send the photo itself",
                "name the hosts of photos in service.image_url_hosts",
            )
        return self._addresses.read(url)

    def states(self) -> list[CollectionState]:
        """Returns the states of all collections, sorted by name."""
        return [self._state(name) for name in self._settings.collection_names()]

    def observe(self) -> None:
        """Sets the metrics of what is stored, before `/metrics` is answered."""
        catalogs = {
            name: store.catalog
            for name, store in self._stores.items()
            if isinstance(store, EmbeddedStore)
        }
        observe(self._settings, self.states(), catalogs)

    def _state(self, name: str) -> CollectionState:
        searcher, failure = self._opened.searcher(name), self._opened.failure(name)
        if failure is None and searcher is not None:
            try:
                return self._state_of(searcher, self._stores[name])
            except ImageSearchError as error:  # damage that the refresher has not found yet
                failure = failure_of(error)
        if failure is None:
            return CollectionState(name, STARTING, "the model is being loaded")
        return CollectionState(name, failure.status, failure.detail)

    def _state_of(self, searcher: Searcher, store: Store) -> CollectionState:
        spec = searcher.spec
        with searcher.store.reader() as reader:
            found = kind_of(reader)
            products, _ = reader.counts()
        if store.damage:
            raise DamagedError(store.damage)
        embedding = self._settings.embedding_of(searcher.name)
        failure = self._models.failure(embedding)
        model = found or spec
        fits = not (found and spec) or found.fingerprint == spec.fingerprint
        status, detail = READY, "" if products else empty(self._settings, store, searcher.name)
        if failure:
            status, detail = NO_MODEL, f"only searches by product are answered: {failure}"
        # Only imported vectors are of another model on purpose.
        elif found and spec and not fits and found.fingerprint != IMPORTED:
            status = MISMATCH
            detail = (
                f"searches by photo get 409: {difference(found, spec)}; {way_out(found)}; if the"
                " settings were changed after this service was started, restart it"
            )
        return CollectionState(
            searcher.name,
            status,
            detail,
            products=products,
            seq=searcher.store.seq,
            weights=model.weights if model else embedding.weights,
            trained=model is None or model.trained,
            photo_search=fits and not failure,
        )

    def _open(self, name: str) -> Searcher:
        # The model first, so that a collection can be searched as soon as it has a catalogue.
        embedding = self._settings.embedding_of(name)
        self._models.load(embedding)
        spec = self._models.spec(embedding)
        store = open_store(self._settings, name)
        hides = self._settings.hides_out_of_stock(name)
        searcher = Searcher(name, store, spec, hide_out_of_stock=hides)
        failure = self._opened.failure(name)
        try:
            if failure and failure.damaged:
                require_undamaged(store)
            state = self._brought_up_to_date(searcher, store)
            searcher.warm_up()
        except BaseException:
            store.close()
            raise
        self._stores[name] = store
        if state.detail:
            log.warning("collection %s: %s", name, state.detail)
        self._load_model(searcher)
        return searcher

    def _load_model(self, searcher: Searcher) -> bool:
        """Loads the model of an open collection unless it is loaded; returns whether it is."""
        embedding = self._settings.embedding_of(searcher.name)
        if not self._models.load(embedding):
            return False
        embedder = self._models.embedder(embedding).batcher.embedder
        spec = searcher.spec = embedder.spec
        labels = searcher.name, spec.fingerprint, spec.weights, embedder.runs_on
        metrics.MODEL.labels(*labels).set(1)
        return True

    def _refresh(self, searcher: Searcher) -> None:
        self._brought_up_to_date(searcher, self._stores[searcher.name])

    def _brought_up_to_date(self, searcher: Searcher, store: Store) -> CollectionState:
        store.refresh()
        state = self._state_of(searcher, store)
        metrics.VIEW_SEQ.labels(searcher.name).set(searcher.store.seq)
        metrics.VIEW_CURRENT.labels(searcher.name).set_to_current_time()
        for part, images in searcher.store.index_sizes().items():
            metrics.VIEW_IMAGES.labels(searcher.name, part).set(images)
        in_use = store.neighbours_in_use
        metrics.NEIGHBOURS.labels(searcher.name, "used").set(in_use is True)
        metrics.NEIGHBOURS.labels(searcher.name, "unused").set(in_use is False)
        metrics.READY.labels(searcher.name).set(state.ready)
        without_photos = state.status in (MISMATCH, NO_MODEL)
        metrics.WITHOUT_PHOTOS.labels(searcher.name).set(without_photos)
        metrics.PRODUCTS.labels(searcher.name).set(state.products)
        return state

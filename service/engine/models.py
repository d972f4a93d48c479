"""The models of the collections: loaded once for equal settings, and again after a failure."""

import gc
import logging
from collections.abc import Callable

from indexer.config import EmbeddingSettings, Settings
from indexer.embedding import Embedder, EmbeddingSpec, resolve_spec
from indexer.errors import ImageSearchError, ModelError, WeightsError
from service.engine.batching import Batcher
from service.engine.query_embedder import QueryEmbedder
from service.errors import NotReadyError

log = logging.getLogger(__name__)


class Models:
    """The models of one process.

    Args:
        settings: of photos and requests.
        load: loads an embedder.
    """

    def __init__(self, settings: Settings, load: Callable[[EmbeddingSettings], Embedder]) -> None:
        self._settings = settings
        self._load = load
        self._embedders: dict[EmbeddingSettings, QueryEmbedder] = {}
        self._failures: dict[EmbeddingSettings, str] = {}

    def load(self, settings: EmbeddingSettings) -> bool:
        """Loads a model unless it is loaded; returns whether it is. Logs the same failure once."""
        if settings in self._embedders:
            return True
        before = self._failures.get(settings)
        try:
            embedder = self._load(settings)
        except ImageSearchError as error:
            failure = str(error)
            if failure != before:
                log.error("the model cannot be loaded: %s", failure)
        except Exception:  # a runtime may raise anything
            failure = "an unexpected error; it was logged"
            if failure != before:
                log.exception("the model cannot be loaded")
        else:
            self._embedders[settings] = self._query_embedder(embedder)
            _exempt_from_collections()
            if self._failures.pop(settings, None):
                log.warning("the model is loaded; photos can be searched again")
            return True
        self._failures[settings] = failure
        return False

    def spec(self, settings: EmbeddingSettings) -> EmbeddingSpec | None:
        """Returns the spec of a model, which need not be loaded; None if a file cannot be read.

        Raises:
            ConfigError: the settings name no model.
        """
        if loaded := self._embedders.get(settings):
            return loaded.batcher.embedder.spec
        try:
            return resolve_spec(settings)
        except (ModelError, WeightsError):
            return None  # the failure of `load` gives the reason

    def failure(self, settings: EmbeddingSettings) -> str:
        """Returns why the model could not be loaded; "" if it is."""
        return self._failures.get(settings, "")

    def embedder(self, settings: EmbeddingSettings) -> QueryEmbedder:
        """Returns the embedder for photos of queries.

        Raises:
            NotReadyError: the model is not loaded.
        """
        if settings not in self._embedders:
            raise NotReadyError(
                "photos cannot be used now, because the model could not be loaded; searches by"
                " product are answered; ask the operator of this service",
                self.failure(settings),
            )
        return self._embedders[settings]

    def seconds_per_photo(self) -> float:
        """Returns the time of the slowest model for a photo; 0 before the first photo."""
        batchers = [embedder.batcher for embedder in self._embedders.values()]
        return max((batcher.seconds_per_photo for batcher in batchers), default=0)

    def stop(self) -> None:
        """Stops the threads of the models."""
        for embedder in self._embedders.values():
            embedder.batcher.stop()

    def _query_embedder(self, embedder: Embedder) -> QueryEmbedder:
        return QueryEmbedder(
            Batcher(embedder),
            self._settings.images.limits(),
            remembered=self._settings.service.cached_photos,
            deadline_s=self._settings.service.deadline_s,
        )


def _exempt_from_collections() -> None:
    """Exempts everything that is in memory from Python's garbage collections.

    A full collection goes through all that the runtime has imported: 130 ms with TensorFlow and 15
    ms with OpenVINO, in which no thread runs.
    """
    gc.collect()
    gc.freeze()

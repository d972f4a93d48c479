"""One collection, searched by any number of threads."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from indexer.arrays import Ids, Vectors
from indexer.embedding import EmbeddingSpec, available_cores
from indexer.embedding.photos import PhotoVectors
from indexer.embedding.regions import AUTO, SAMPLE
from indexer.errors import BadParameterError, FingerprintMismatchError
from indexer.images import Box
from indexer.search.aim import aim, find_products, vectors_of
from indexer.search.answer import Answer, Match
from indexer.search.arrange import Ranked
from indexer.search.parameters import SearchParameters
from indexer.search.ranking import Ranking
from indexer.search.scope import Scope, everything, narrowed, stocked
from indexer.store.embedded.attributes import LiveTable, Table
from indexer.store.embedded.catalog import Catalog, CatalogSnapshot, Product
from indexer.store.embedded.index import LiveView, View

_MOST_FACET_VALUES = 50
# Searches beyond the cores would take Python's lock from each other: a third fewer per second.
_TURNS = threading.BoundedSemaphore(available_cores())


class Searcher:
    """Searches one collection; any number of threads may use one object.

    Args:
        name: of the collection.
        catalog: its catalogue.
        spec: of the vectors that photos become.
        photos: makes them.
        hide_out_of_stock: products with in_stock false are found only by a filter on in_stock.
    """

    def __init__(
        self,
        name: str,
        catalog: Catalog,
        spec: EmbeddingSpec,
        photos: PhotoVectors,
        *,
        hide_out_of_stock: bool = False,
    ) -> None:
        self.name = name
        self.catalog = catalog
        self.spec = spec
        self._photos = photos
        self._hide_out_of_stock = hide_out_of_stock
        self._live = LiveView()
        self._attributes = LiveTable()

    @property
    def view(self) -> View:
        """What a search reads at least."""
        return self._live.current

    def refresh(self) -> None:
        """Brings view and attributes up to date, so that no search has to.

        Raises:
            CatalogError: what is stored is damaged.
        """
        with self.catalog.snapshot() as snapshot:
            self._live.refresh(snapshot)
            self._attributes.at(snapshot)

    def warm_up(self) -> None:
        """Searches by any product, so that the next search finds files and code in memory."""
        with self.catalog.snapshot() as snapshot:
            first = next(snapshot.product_ids(), None)
        if first is not None:
            self.by_product(first, SearchParameters(), include_itself=True)

    def by_photos(self, photos: Sequence[bytes], parameters: SearchParameters) -> Answer:
        """The products that look most like any of the photos, given as the bytes of their files.

        There may be none if `more_like` says what is wanted.

        Raises:
            ImageError: the photo cannot be used.
            BadParameterError: a parameter is wrong.
            FingerprintMismatchError: the catalogue holds vectors of another network.
            UnknownProductError: `more_like` or `less_like` names no product.
        """
        answer = Answer(self.name, kind="photo" if photos else "product")
        queries: Vectors | None = None
        if photos:
            with self.catalog.snapshot() as snapshot:
                self.require_photo_search(snapshot)
            answer.has_box = parameters.box is not None
            queries, answer.box = self.vectors_of(photos, parameters.box, answer.took_ms)
        elif not parameters.more_like:
            raise BadParameterError("send a photo, a product or more_like")
        self._fill(answer, parameters, lambda _: queries)
        return answer

    def by_product(
        self, product_id: str, parameters: SearchParameters, *, include_itself: bool
    ) -> Answer:
        """The products that look most like any photo of a product.

        Raises:
            BadParameterError: a parameter is wrong.
            UnknownProductError: there is no such product.
        """
        answer = Answer(self.name)

        def its_vectors(snapshot: CatalogSnapshot) -> Vectors:
            return vectors_of(snapshot, find_product(snapshot, product_id))

        self._fill(answer, parameters, its_vectors, () if include_itself else (product_id,))
        return answer

    def vectors_of(
        self,
        photos: Sequence[bytes],
        box: str | None = None,
        took_ms: dict[str, float] | None = None,
    ) -> tuple[Vectors, Box | None]:
        """The vectors (n, dimension) of photos, and the part of the first that was taken.

        Raises:
            ImageError: a photo cannot be used.
            BadParameterError: the box is none.
        """
        took_ms = Answer(self.name).took_ms if took_ms is None else took_ms
        if box != AUTO:
            corners = None if box is None else _corners(box)
            return self._photos.vectors(photos, corners, took_ms), corners
        boxes = [self._photos.located(photo, self._sample, took_ms) for photo in photos]
        parts = zip(photos, boxes, strict=True)
        vectors = [self._photos.vectors([photo], part, took_ms) for photo, part in parts]
        return np.concatenate(vectors), boxes[0]

    def _sample(self) -> Vectors:
        with self.catalog.snapshot() as snapshot:
            return (self._live.at(snapshot) or self.view).sample(SAMPLE)

    def require_photo_search(self, snapshot: CatalogSnapshot) -> None:
        """
        Raises:
            FingerprintMismatchError: the catalogue holds vectors of another network.
        """
        if snapshot.fingerprint not in (None, self.spec.fingerprint):
            raise FingerprintMismatchError(
                f"collection {self.name!r} holds vectors of {snapshot.meta('weights')}, photos are"
                " embedded otherwise here: search by product_id, or set embedding to what"
                " made the vectors"
            )

    def _fill(
        self,
        answer: Answer,
        parameters: SearchParameters,
        own_queries: Callable[[CatalogSnapshot], Vectors | None],
        excluded: Sequence[str] = (),
    ) -> None:
        answer.offset = parameters.offset
        with answer.timed("queue"):
            _TURNS.acquire()
        try:
            self._search(answer, parameters, own_queries, excluded)
        finally:
            _TURNS.release()

    def _search(
        self,
        answer: Answer,
        parameters: SearchParameters,
        own_queries: Callable[[CatalogSnapshot], Vectors | None],
        excluded: Sequence[str],
    ) -> None:
        more, less = parameters.more_like, parameters.less_like
        with answer.timed("search"), self._in_step(parameters) as (snapshot, view, table):
            queries = aim(snapshot, own_queries(snapshot), more, less)
            hidden = frozenset((*excluded, *more, *less))
            scope = self._scope(snapshot, table, parameters, hidden)
            ranking = Ranking(view, queries, scope, parameters, _owners(table, snapshot), table)
            answer.seq = snapshot.seq
            matching, page = ranking.found()
            answer.matches = _matches(snapshot, page, boosted=bool(parameters.boost))
            _count(answer, ranking, matching)

    @contextmanager
    def _in_step(
        self, parameters: SearchParameters
    ) -> Iterator[tuple[CatalogSnapshot, View, Table | None]]:
        """A snapshot, and the view and the table of exactly its seq."""
        # A command that asks for no attribute does not wait until all are read.
        needed = self._attributes.is_loaded or self._needs_attributes(parameters)
        while True:
            with self.catalog.snapshot() as snapshot:
                view = self._live.at(snapshot)
                table = self._attributes.at(snapshot) if needed else None
                if view is not None and (table is not None or not needed):
                    yield snapshot, view, table
                    return

    def _needs_attributes(self, parameters: SearchParameters) -> bool:
        return self._hide_out_of_stock or any(
            (
                parameters.filter,
                parameters.facets,
                parameters.boost,
                parameters.diversify,
                parameters.group_by,
            )
        )

    def _scope(
        self,
        snapshot: CatalogSnapshot,
        table: Table | None,
        parameters: SearchParameters,
        excluded: frozenset[str],
    ) -> Scope:
        if table is None or not self._needs_attributes(parameters):
            return everything(snapshot.counts()[0] if table is None else len(table), excluded)
        conditions = parameters.conditions()
        if self._hide_out_of_stock:
            conditions = stocked(table, conditions)
        return narrowed(table, conditions, parameters.boosts(), excluded)


def find_product(snapshot: CatalogSnapshot, product_id: str) -> Product:
    """
    Raises:
        UnknownProductError: there is no such product.
    """
    return find_products(snapshot, [product_id])[0]


def _corners(box: str) -> Box:
    try:
        x1, y1, x2, y2 = map(float, box.split(","))
    except ValueError:
        raise BadParameterError(f"box: received {box!r}; send x1,y1,x2,y2") from None
    return x1, y1, x2, y2


def _owners(table: Table | None, snapshot: CatalogSnapshot) -> Callable[[Ids], Sequence[str]]:
    def from_catalogue(ids: Ids) -> Sequence[str]:
        owners = snapshot.products_of(ids)
        return [owners[image_id] for image_id in ids.tolist()]

    return (lambda ids: table.products_of(snapshot, ids)) if table is not None else from_catalogue


def _matches(snapshot: CatalogSnapshot, page: Sequence[Ranked], *, boosted: bool) -> list[Match]:
    products = snapshot.products(row.product_id for row in page)
    images = {image.image_id: image for product in products.values() for image in product.images}
    for row in page:
        if row.image_id not in images:
            raise snapshot.missing_image(row.image_id)
    return [
        Match(
            products[row.product_id],
            images[row.image_id],
            row.score,
            row.boost if boosted else None,
        )
        for row in page
    ]


def _count(answer: Answer, ranking: Ranking, matching: Sequence[Ranked]) -> None:
    """Fills in the total and the facets."""
    parameters, scope, table = ranking.parameters, ranking.scope, ranking.table
    rows, answer.total = scope.rows, scope.total
    if parameters.min_score is not None:
        answer.total = len(matching)
        if table is not None and rows is not None:
            rows = np.zeros(len(rows), np.bool_)
            rows[table.find([row.product_id for row in matching])] = True
    if table is not None and rows is not None:
        if parameters.group_by:
            answer.total = table.distinct(parameters.group_by, rows)
        answer.facets = {
            name: table.facet(name, rows, _MOST_FACET_VALUES) for name in parameters.facets
        }

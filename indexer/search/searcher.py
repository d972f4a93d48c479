"""One collection, searched by any number of threads."""

import threading
from collections.abc import Callable, Sequence

import numpy as np

from indexer.arrays import Vectors
from indexer.embedding import EmbeddingSpec, available_cores
from indexer.embedding.kinds import IMPORTED, WAY_OUT, difference, kind_of
from indexer.embedding.photos import PhotoVectors
from indexer.embedding.regions import AUTO, SAMPLE
from indexer.errors import BadParameterError, CatalogError, FingerprintMismatchError
from indexer.images import Box
from indexer.search.answer import Answer, Match
from indexer.search.parameters import SearchParameters
from indexer.search.ranking import Ranking
from indexer.search.relevance import find_products, query_vectors, vectors_of
from indexer.search.reranking import Ranked
from indexer.store import Condition, Product, Reader, SearchReader, Selection, Store, parse

_MAX_FACET_VALUES = 50
# Searches beyond the cores would take Python's lock from each other: a third fewer per second.
_TURNS = threading.BoundedSemaphore(available_cores())
# Applies unless the query has a condition on stock itself.
_IN_STOCK = parse("!in_stock:false")


class Searcher:
    """Searches one collection; any number of threads may use one object.

    Args:
        name: of the collection.
        store: the collection.
        spec: of the vectors that photos become.
        photos: makes them.
        hide_out_of_stock: products with in_stock false are found only by a filter on in_stock.
    """

    def __init__(
        self,
        name: str,
        store: Store,
        spec: EmbeddingSpec,
        photos: PhotoVectors,
        *,
        hide_out_of_stock: bool = False,
    ) -> None:
        self.name = name
        self.store = store
        self.spec = spec
        self._photos = photos
        self._hide_out_of_stock = hide_out_of_stock

    def warm_up(self) -> None:
        """Searches by any product, so that the next search finds files and code in memory."""
        with self.store.reader() as reader:
            first = next(reader.product_ids(), None)
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
            with self.store.reader() as reader:
                self.require_photo_search(reader)
            answer.has_box = parameters.box is not None
            queries, answer.box = self.vectors_of(photos, parameters.box, answer.took_ms)
        elif not parameters.more_like:
            raise BadParameterError("send a photo, a product or more_like")
        else:
            _require_no_box(parameters)
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
        _require_no_box(parameters)
        answer = Answer(self.name)

        def its_vectors(reader: Reader) -> Vectors:
            return vectors_of(reader, find_product(reader, product_id))

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
        return self.store.sample(SAMPLE)

    def require_photo_search(self, reader: Reader) -> None:
        """
        Raises:
            FingerprintMismatchError: the catalogue holds vectors of another network.
        """
        found = kind_of(reader)
        if found and found.fingerprint != self.spec.fingerprint:
            raise FingerprintMismatchError(
                f"collection {self.name!r} can be searched by product only:"
                f" {difference(found, self.spec)}",
                "" if found.fingerprint == IMPORTED else f"to search by photo, {WAY_OUT}",
            )

    def _fill(
        self,
        answer: Answer,
        parameters: SearchParameters,
        own_queries: Callable[[Reader], Vectors | None],
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
        own_queries: Callable[[Reader], Vectors | None],
        excluded: Sequence[str],
    ) -> None:
        more, less = parameters.more_like, parameters.less_like
        attributes = self._needs_attributes(parameters)
        with answer.timed("search"), self.store.search_reader(attributes=attributes) as found:
            queries = query_vectors(found.reader, own_queries(found.reader), more, less)
            conditions = self._conditions(found, parameters)
            selection = found.select(conditions, {*excluded, *more, *less})
            ranking = Ranking(found, selection, queries, parameters)
            answer.seq = found.reader.seq
            matching, page = ranking.found()
            answer.matches = _matches(found.reader, page, boosted=bool(parameters.boost))
            _count(answer, selection, parameters, matching)

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

    def _conditions(self, found: SearchReader, parameters: SearchParameters) -> list[Condition]:
        """Those of the query, and that of being in stock unless one of them is about that."""
        conditions = parameters.conditions()
        asked = any(condition.field == _IN_STOCK.field for condition in conditions)
        if self._hide_out_of_stock and not asked and found.has_attribute(_IN_STOCK.field):
            return [*conditions, _IN_STOCK]
        return conditions


def find_product(reader: Reader, product_id: str) -> Product:
    """
    Raises:
        UnknownProductError: there is no such product.
    """
    return find_products(reader, [product_id])[0]


def _require_no_box(parameters: SearchParameters) -> None:
    if parameters.box is not None:
        raise BadParameterError(
            f"box: received {parameters.box!r} and no photo; it is a part of a photo: send one, or"
            " leave box out"
        )


def _corners(box: str) -> Box:
    try:
        x1, y1, x2, y2 = map(float, box.split(","))
    except ValueError:
        raise BadParameterError(f"box: received {box!r}; must be x1,y1,x2,y2") from None
    return x1, y1, x2, y2


def _matches(reader: Reader, page: Sequence[Ranked], *, boosted: bool) -> list[Match]:
    products = reader.products(row.product_id for row in page)
    images = {image.image_id: image for product in products.values() for image in product.images}
    for row in page:
        if row.image_id not in images:
            raise CatalogError(f"image {row.image_id} is in the index, but in no product")
    return [
        Match(
            products[row.product_id],
            images[row.image_id],
            row.score,
            row.boost if boosted else None,
        )
        for row in page
    ]


def _count(
    answer: Answer,
    selection: Selection,
    parameters: SearchParameters,
    matching: Sequence[Ranked],
) -> None:
    """Fills in the total and the facets."""
    answer.total = selection.total
    if parameters.min_score is not None:
        answer.total = len(matching)
        if parameters.group_by or parameters.facets:
            selection = selection.only([row.product_id for row in matching])
    if parameters.group_by:
        answer.total = selection.distinct(parameters.group_by)
    answer.facets = {name: selection.facet(name, _MAX_FACET_VALUES) for name in parameters.facets}

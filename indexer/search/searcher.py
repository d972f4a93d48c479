"""One collection, searched by any number of threads."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from indexer.arrays import Vectors
from indexer.embedding import EmbeddingSpec, available_cores
from indexer.embedding.kinds import difference, kind_of, way_out
from indexer.embedding.photos import AutoBox, QueryEmbedder, Timings
from indexer.embedding.regions import AUTO, SAMPLE
from indexer.errors import BadParameterError, CatalogError, FingerprintMismatchError
from indexer.images import Box
from indexer.search.answer import Answer, Match
from indexer.search.parameters import SearchParameters
from indexer.search.ranking import Ranking
from indexer.search.relevance import find_products, query_vectors, vectors_of
from indexer.search.reranking import Ranked
from indexer.store import (
    Condition,
    FacetCount,
    Product,
    Reader,
    SearchReader,
    Selection,
    Store,
    parse,
)

_MAX_FACET_VALUES = 50
# More searches at once than cores contend for Python's lock: a third fewer per second.
_TURNS = threading.BoundedSemaphore(available_cores())
# Applies unless the query has a condition on stock itself.
_IN_STOCK = parse("!in_stock:false")


class Searcher:
    """Searches one collection by vectors; any number of threads may use one object.

    Args:
        name: of the collection.
        store: the collection.
        spec: what makes vectors of photos; None if the model's files cannot be read, so that only
            searches by product are answered.
        hide_out_of_stock: products with in_stock false are found only by a filter on in_stock.
    """

    def __init__(
        self,
        name: str,
        store: Store,
        spec: EmbeddingSpec | None,
        *,
        hide_out_of_stock: bool = False,
    ) -> None:
        self.name = name
        self.store = store
        self.spec = spec
        self.hides_out_of_stock = hide_out_of_stock

    def warm_up(self) -> None:
        """Searches the index, so that the next search finds files and code in memory."""
        with self.store.reader() as reader:
            first = next(reader.product_ids(), None)
        if first is not None:
            self.by_examples(SearchParameters(more_like=[first]))

    def by_vectors(self, vectors: Vectors, parameters: SearchParameters) -> Answer:
        """Finds the products that look most like any of the vectors (n, dimension) of photos.

        Raises:
            BadParameterError: a parameter is wrong.
            FingerprintMismatchError: the catalogue holds vectors of another model.
            UnknownProductError: `more_like` or `less_like` names an unknown product.
        """

        def comparable(reader: Reader) -> Vectors:
            self.require_photo_search(reader)
            return vectors

        return self._answer(parameters, comparable)

    def by_examples(self, parameters: SearchParameters) -> Answer:
        """Finds the products that look most like those of `more_like`.

        Raises:
            BadParameterError: a parameter is wrong, or `more_like` is empty.
            UnknownProductError: `more_like` or `less_like` names an unknown product.
        """
        if not parameters.more_like:
            raise BadParameterError("send a photo, a product or more_like")
        _require_no_box(parameters)
        return self._answer(parameters, lambda _: None)

    def by_product(
        self, product_id: str, parameters: SearchParameters, *, include_itself: bool
    ) -> Answer:
        """Finds the products that look most like any photo of a product.

        Raises:
            BadParameterError: a parameter is wrong.
            UnknownProductError: there is no such product.
        """
        _require_no_box(parameters)

        def its_vectors(reader: Reader) -> Vectors:
            return vectors_of(reader, find_product(reader, product_id))

        excluded = () if include_itself else (product_id,)
        return self._answer(parameters, its_vectors, excluded, product_id)

    def box(self, text: str | None) -> Box | AutoBox | None:
        """Returns the part of a photo that the parameter `box` names.

        Raises:
            BadParameterError: invalid box.
        """
        if text == AUTO:
            return AutoBox(self._sample)
        return None if text is None else _corners(text)

    def _sample(self) -> Vectors:
        return self.store.sample(SAMPLE)

    def require_photo_search(self, reader: Reader) -> None:
        """Checks that photos can be compared with what the collection holds.

        Without a spec, the embedder says why there is none.

        Raises:
            FingerprintMismatchError: the catalogue holds vectors of another model.
        """
        found = kind_of(reader)
        if found and self.spec and found.fingerprint != self.spec.fingerprint:
            reason = f"collection {self.name!r} cannot use photos: {difference(found, self.spec)}"
            told = filter(None, (reason, way_out(found), "searches by product are answered"))
            raise FingerprintMismatchError("; ".join(told))

    def _answer(
        self,
        parameters: SearchParameters,
        queries_of: Callable[[Reader], Vectors | None],
        excluded: Sequence[str] = (),
        product_id: str | None = None,
    ) -> Answer:
        asked = time.perf_counter()
        with _TURNS:
            start = time.perf_counter()
            answer = self._search(parameters, queries_of, excluded, product_id)
            search_ms = 1000 * (time.perf_counter() - start)
        waited = Timings(queue=1000 * (start - asked))
        return replace(answer, timings=waited, search_ms=search_ms)

    def _search(
        self,
        parameters: SearchParameters,
        queries_of: Callable[[Reader], Vectors | None],
        excluded: Sequence[str],
        product_id: str | None,
    ) -> Answer:
        more, less = parameters.more_like, parameters.less_like
        attributes = self._needs_attributes(parameters)
        like = None if more or less else product_id
        with self.store.search_reader(attributes=attributes) as found:
            reader = found.reader
            conditions = self._conditions(found, parameters)
            selection = found.select(conditions, {*excluded, *more, *less})

            def queries() -> Vectors:
                return query_vectors(reader, queries_of(reader), more, less)

            ranking = Ranking(found, selection, queries, parameters, like).found()
            total, facets, estimated = _counts(selection, parameters, ranking.top)
            return Answer(
                self.name,
                seq=reader.seq,
                total=total,
                matches=_matches(reader, ranking.page, boosted=bool(parameters.boost)),
                facets=facets,
                offset=parameters.offset,
                precomputed=ranking.precomputed,
                estimated=estimated,
            )

    def _needs_attributes(self, parameters: SearchParameters) -> bool:
        return self.hides_out_of_stock or any(
            (
                parameters.filter,
                parameters.facets,
                parameters.boost,
                parameters.diversify,
                parameters.group_by,
            )
        )

    def _conditions(self, found: SearchReader, parameters: SearchParameters) -> Sequence[Condition]:
        """The conditions of the query, plus `in stock` unless one of them is on that attribute."""
        conditions = parameters.conditions
        asked = any(condition.field == _IN_STOCK.field for condition in conditions)
        if self.hides_out_of_stock and not asked and found.has_attribute(_IN_STOCK.field):
            return [*conditions, _IN_STOCK]
        return conditions


def search_by_photos(
    searcher: Searcher,
    embedder: QueryEmbedder,
    photos: Sequence[bytes],
    parameters: SearchParameters,
) -> Answer:
    """Finds the products that look most like any of the photos, given as the bytes of their files.

    There may be no photo if `more_like` says what is wanted.

    Raises:
        ImageError: a photo cannot be used.
        BadParameterError: a parameter is wrong.
        FingerprintMismatchError: the catalogue holds vectors of another model.
        UnknownProductError: `more_like` or `less_like` names an unknown product.
    """
    if not photos:
        return searcher.by_examples(parameters)
    with searcher.store.reader() as reader:  # before anything is decoded
        searcher.require_photo_search(reader)
    embedded = embedder.embed(photos, searcher.box(parameters.box))
    answer = searcher.by_vectors(embedded.vectors, parameters)
    return replace(
        answer,
        kind="photo",
        has_box=parameters.box is not None,
        box=embedded.box,
        timings=embedded.timings + answer.timings,
    )


def find_product(reader: Reader, product_id: str) -> Product:
    """Returns a product.

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


def _counts(
    selection: Selection, parameters: SearchParameters, matching: Sequence[Ranked]
) -> tuple[int, dict[str, list[FacetCount]], bool]:
    """Returns the total, the facets, and whether these or the number of groups are estimates."""
    total = selection.total
    if parameters.min_score is not None:
        total = len(matching)
        if parameters.group_by or parameters.facets:
            selection = selection.only([row.product_id for row in matching])
    if parameters.group_by:
        total = selection.distinct(parameters.group_by)
    facets = {name: selection.facet(name, _MAX_FACET_VALUES) for name in parameters.facets}
    estimated = bool(parameters.group_by or parameters.facets) and selection.estimated
    return total, facets, estimated

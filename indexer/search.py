"""Answering a query on one collection: a photo or a product in, ranked products out."""

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field

from indexer.arrays import Vectors
from indexer.catalog import Catalog, CatalogSnapshot, Image, Product
from indexer.embedding import EmbeddingSpec
from indexer.errors import BadParameterError, FingerprintMismatchError, UnknownProductError
from indexer.images import Box
from indexer.index import LiveView, View
from indexer.photos import PhotoVectors

# Candidates fetched at first, as a multiple of the products wanted: most have one or two photos.
_IMAGES_PER_PRODUCT = 2
_FIRST_CANDIDATES = 64
_GROWTH = 4


class SearchParameters(BaseModel):
    """Which part of the ranking is wanted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    limit: Annotated[int, Field(ge=1, le=200, description="Products on the page.")] = 10
    offset: Annotated[
        int, Field(ge=0, le=1_000_000, description="Products of the ranking before the page.")
    ] = 0
    min_score: Annotated[
        float | None,
        Field(ge=-1, le=1, allow_inf_nan=False, description="Lowest score that counts as a match."),
    ] = None
    box: Annotated[
        str | None,
        Field(
            pattern=r"^[\d.]+(,[\d.]+){3}$",
            description="Part of a photo to search with: x1,y1,x2,y2 as fractions of its sides.",
        ),
    ] = None


@dataclass(frozen=True)
class Match:
    """A product of the ranking, with the photo of it that matched best."""

    product: Product
    image: Image
    score: float


@dataclass
class Answer:
    """A page of the ranking, and how it came about. Times in milliseconds."""

    collection: str
    seq: int = 0
    total: int = 0
    matches: list[Match] = field(default_factory=list)
    took_ms: dict[str, float] = field(
        default_factory=lambda: {"decode": 0.0, "queue": 0.0, "embed": 0.0, "search": 0.0}
    )
    query_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    kind: str = "product"  # what was searched with: a photo, or a product
    offset: int = 0  # products of the ranking before the page

    def document(self) -> dict[str, Any]:
        """The answer as the HTTP service and the CLI give it out."""
        return {
            "query_id": self.query_id,
            "collection": self.collection,
            "seq": self.seq,
            "total": self.total,
            "took_ms": {stage: round(ms, 3) for stage, ms in self.took_ms.items()},
            "results": [
                {
                    "product_id": match.product.product_id,
                    "score": round(match.score, 7),
                    "distance": round(1 - match.score, 7),
                    "image": match.image.uri,
                    "image_url": image_url(self.collection, match.image),
                    "attributes": match.product.attributes,
                }
                for match in self.matches
            ],
        }


def image_url(collection: str, image: Image) -> str:
    """Where a browser finds the photo: its own address, or the service's if it is a file."""
    if image.location.startswith(("http://", "https://")):
        return image.location
    return f"/v1/images/{image.image_id}?collection={quote(collection)}"


class Searcher:
    """Searches one collection; any number of threads may use one object.

    Args:
        name: of the collection.
        catalog: its catalogue.
        spec: of the vectors that photos become.
        photos: makes them.
    """

    def __init__(
        self, name: str, catalog: Catalog, spec: EmbeddingSpec, photos: PhotoVectors
    ) -> None:
        self.name = name
        self.catalog = catalog
        self.spec = spec
        self._photos = photos
        self._live = LiveView()

    @property
    def view(self) -> View:
        """What a search reads at least."""
        return self._live.current

    def refresh(self) -> None:
        """Brings the view up to date, so that no search has to.

        Raises:
            CatalogError: a stored vector is damaged.
        """
        with self.catalog.snapshot() as snapshot:
            self._live.refresh(snapshot)

    def warm_up(self) -> None:
        """Searches by any product, so that the next search finds files and code in memory."""
        with self.catalog.snapshot() as snapshot:
            first = next(snapshot.product_ids(), None)
        if first is not None:
            self.by_product(first, SearchParameters(), include_itself=True)

    def by_photos(self, photos: Sequence[bytes], parameters: SearchParameters) -> Answer:
        """The products that look most like any of the photos, given as the bytes of their files.

        Raises:
            ImageError: the photo cannot be used.
            BadParameterError: the box is none.
            FingerprintMismatchError: the catalogue holds vectors of another network.
        """
        with self.catalog.snapshot() as snapshot:
            self.require_photo_search(snapshot)
        answer = Answer(self.name)
        answer.kind = "photo"
        box = None if parameters.box is None else _corners(parameters.box)
        queries = self._photos.vectors(photos, box, answer.took_ms)
        self._fill(answer, parameters, lambda _: queries)
        return answer

    def by_product(
        self, product_id: str, parameters: SearchParameters, *, include_itself: bool
    ) -> Answer:
        """The products that look most like any photo of a product.

        Raises:
            UnknownProductError: there is no such product.
        """
        answer = Answer(self.name)

        def its_vectors(snapshot: CatalogSnapshot) -> Vectors:
            product = find_product(snapshot, product_id)
            return snapshot.vectors([image.image_id for image in product.images])[1]

        self._fill(answer, parameters, its_vectors, None if include_itself else product_id)
        return answer

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

    def vectors(self, photos: Sequence[bytes]) -> Vectors:
        """Photos, given as the bytes of their files, as vectors of this collection.

        Raises:
            ImageError: a photo cannot be used.
        """
        return self._photos.vectors(photos, None, Answer(self.name).took_ms)

    def _fill(
        self,
        answer: Answer,
        parameters: SearchParameters,
        queries: Callable[[CatalogSnapshot], Vectors],
        excluded: str | None = None,
    ) -> None:
        answer.offset = parameters.offset
        with _timed(answer, "search"):
            while True:  # until the view and the snapshot are of the same seq
                with self.catalog.snapshot() as snapshot:
                    if (view := self._live.at(snapshot)) is not None:
                        ranking = _Ranking(view, snapshot, queries(snapshot), excluded)
                        answer.seq = snapshot.seq
                        answer.total, answer.matches = ranking.page(parameters)
                        return


def _corners(box: str) -> Box:
    try:
        x1, y1, x2, y2 = map(float, box.split(","))
    except ValueError:
        raise BadParameterError(f"box: received {box!r}; send x1,y1,x2,y2") from None
    return x1, y1, x2, y2


@contextmanager
def _timed(answer: Answer, stage: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    answer.took_ms[stage] += 1000 * (time.perf_counter() - start)


def find_product(snapshot: CatalogSnapshot, product_id: str) -> Product:
    """
    Raises:
        UnknownProductError: there is no such product.
    """
    product = snapshot.products([product_id]).get(product_id)
    if product is None:
        raise UnknownProductError(f"there is no product {product_id!r} in this collection")
    return product


@dataclass(frozen=True)
class _Ranking:
    """Products by the best score of their images, equal scores by product id."""

    view: View
    snapshot: CatalogSnapshot
    queries: Vectors
    excluded: str | None

    def page(self, parameters: SearchParameters) -> tuple[int, list[Match]]:
        """How many products match, and the page of them that is wanted."""
        wanted, floor = parameters.offset + parameters.limit, parameters.min_score
        ranked = self._best_products(wanted, floor)
        if floor is None:
            total = self.snapshot.counts()[0] - (self.excluded is not None)
        else:
            ranked = [row for row in ranked if row[0] >= floor]
            total = len(ranked)
        page = ranked[parameters.offset : wanted]
        products = self.snapshot.products(product_id for _, product_id, _ in page)
        images = self.snapshot.images(image_id for _, _, image_id in page)
        return total, [
            Match(products[product_id], images[image_id], score)
            for score, product_id, image_id in page
        ]

    def _best_products(self, wanted: int, floor: float | None) -> list[tuple[float, str, int]]:
        """(score, product id, image id) in the order of the ranking, `wanted` or more."""
        k = max(_FIRST_CANDIDATES, _IMAGES_PER_PRODUCT * wanted)
        while True:
            hits = self.view.search(self.queries, k)
            owners = self.snapshot.products_of(hits.ids)
            best: dict[str, tuple[float, str, int]] = {}
            for image_id, score in zip(hits.ids.tolist(), hits.scores.tolist(), strict=True):
                owner = owners[image_id]
                if owner != self.excluded:
                    best.setdefault(owner, (score, owner, image_id))
            ranked = sorted(best.values(), key=lambda row: (-row[0], row[1]))
            if len(hits) < k or hits.scores[-1] < _needed(ranked, wanted, floor):
                return ranked
            k *= _GROWTH


def _needed(ranked: list[tuple[float, str, int]], wanted: int, floor: float | None) -> float:
    """The score that all images must have been seen down to, for the page to be certain."""
    last = ranked[wanted - 1][0] if len(ranked) >= wanted else -2.0
    return last if floor is None else floor

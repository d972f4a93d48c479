"""The answer of a search, and its JSON document."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import quote

from indexer.embedding.photos import Timings
from indexer.fetch import is_url
from indexer.images import Box
from indexer.store import FacetCount, Image, Product

IMAGES = "/v1/images"  # path of the photos of the catalogue on the service
HASH_DIGITS = 16  # of the content hash in the address of a photo


@dataclass(frozen=True)
class Match:
    """A product of the ranking, with its best-matching photo.

    `boost` is what the boosts of the query added to the score for ranking; None without boosts.
    """

    product: Product
    image: Image
    score: float
    boost: float | None = None


@dataclass(frozen=True)
class Answer:
    """A page of the ranking.

    Attributes:
        collection: that was searched.
        seq: state of the searched catalogue.
        total: number of products in the ranking.
        matches: the page.
        facets: by attribute, its values and their counts.
        offset: number of products before the page.
        kind: of the query, `photo` or `product`.
        has_box: whether the query asked for a part of the photo.
        box: of the first photo; None is the whole photo.
        timings: of the photos, and of waiting for the search.
        search_ms: time of the search itself.
        precomputed: whether the ranking is from the table of neighbours.
        estimated: whether facets, and the total of groups, are estimated from a sample.
        query_id: id to which events refer.
    """

    collection: str
    seq: int = 0
    total: int = 0
    matches: Sequence[Match] = ()
    facets: Mapping[str, Sequence[FacetCount]] = field(default_factory=dict)
    offset: int = 0
    kind: str = "product"
    has_box: bool = False
    box: Box | None = None
    timings: Timings = field(default_factory=Timings)
    search_ms: float = 0.0
    precomputed: bool = False
    estimated: bool = False
    query_id: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def took_ms(self) -> dict[str, float]:
        """Milliseconds by stage."""
        return {**asdict(self.timings), "search": self.search_ms}

    def document(self) -> dict[str, Any]:
        """Returns the JSON document of the HTTP service and the CLI.

        It has `facets` and `boost` only if the query asked for them, and `estimated` only if true.
        """
        document: dict[str, Any] = {
            "query_id": self.query_id,
            "collection": self.collection,
            "seq": self.seq,
            "total": self.total,
            **({"box": self.box and [round(side, 4) for side in self.box]} if self.has_box else {}),
            "took_ms": {stage: round(ms, 3) for stage, ms in self.took_ms.items()},
            "results": [self._result(match) for match in self.matches],
        }
        if self.estimated:
            document["estimated"] = True
        if self.facets:
            document["facets"] = {
                name: [asdict(count) for count in counts] for name, counts in self.facets.items()
            }
        return document

    def _result(self, match: Match) -> dict[str, Any]:
        result = {
            "product_id": match.product.product_id,
            "score": round(match.score, 7),
            "distance": round(1 - match.score, 7),
            "image": match.image.uri,
            "image_url": image_url(self.collection, match.image),
            "thumbnail_url": thumbnail_url(self.collection, match.image),
            "attributes": match.product.attributes,
        }
        return result if match.boost is None else result | {"boost": round(match.boost, 7)}


def image_url(collection: str, image: Image) -> str:
    """Returns where a browser finds a photo: its URL, or a path of the service."""
    if is_url(image.location):
        return image.location
    return _path_of(collection, image)


def thumbnail_url(collection: str, image: Image) -> str:
    """Returns the path of a photo on the service, 320 pixels wide."""
    return f"{_path_of(collection, image)}&width=320"


def _path_of(collection: str, image: Image) -> str:
    # With the hash, the address stands for the content, which caches may therefore keep.
    content = quote(image.content_hash[:HASH_DIGITS])
    return f"{IMAGES}/{image.image_id}?collection={quote(collection)}&hash={content}"

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

IMAGES = "/v1/images"  # where the service has the photos of the catalogue


@dataclass(frozen=True)
class Match:
    """A product of the ranking, with the photo of it that matched best.

    `boost` is what the query's boosts added to the score for the ranking; None without boosts.
    """

    product: Product
    image: Image
    score: float
    boost: float | None = None


@dataclass(frozen=True)
class Answer:
    """A page of the ranking, and how it came about.

    Attributes:
        collection: that was searched.
        seq: the state of the catalogue that was searched.
        total: products in the whole ranking.
        matches: the page.
        facets: by attribute, its values and their counts.
        offset: products of the ranking before the page.
        kind: what was searched with: `photo` or `product`.
        has_box: whether the query asked for a part of the photo.
        box: that of the first photo; None is all of it.
        timings: of the photos, and of waiting for the search.
        search_ms: of the search itself.
        precomputed: whether the ranking is from the table of neighbours.
        query_id: by which events can name the answer.
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
    query_id: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def took_ms(self) -> dict[str, float]:
        """Milliseconds by stage."""
        return {**asdict(self.timings), "search": self.search_ms}

    def document(self) -> dict[str, Any]:
        """Returns what the HTTP service and the CLI print as JSON.

        `facets` and `boost` are in it if the query asked for them.
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
            "attributes": match.product.attributes,
        }
        return result if match.boost is None else result | {"boost": round(match.boost, 7)}


def image_url(collection: str, image: Image) -> str:
    """Returns where a browser finds a photo: its URL, or a path of the service."""
    if is_url(image.location):
        return image.location
    return f"{IMAGES}/{image.image_id}?collection={quote(collection)}"

"""What a search answers, and how that is given out."""

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import quote

from indexer.fetch import is_url
from indexer.images import Box
from indexer.store import FacetCount, Image, Product


@dataclass(frozen=True)
class Match:
    """A product of the ranking, with the photo of it that matched best.

    `boost` is what conditions of the query added to the score for the ranking; None if it had none.
    """

    product: Product
    image: Image
    score: float
    boost: float | None = None


@dataclass
class Answer:
    """A page of the ranking, and how it came about. Times in milliseconds."""

    collection: str
    seq: int = 0
    total: int = 0
    has_box: bool = False  # whether a part of the photo was asked for
    box: Box | None = None  # that of the first photo; None is all of it
    matches: list[Match] = field(default_factory=list)
    facets: dict[str, list[FacetCount]] = field(default_factory=dict)
    took_ms: dict[str, float] = field(
        default_factory=lambda: {"decode": 0.0, "queue": 0.0, "embed": 0.0, "search": 0.0}
    )
    query_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    kind: str = "product"  # what was searched with: a photo, or a product
    offset: int = 0  # products of the ranking before the page

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Adds the time of a block to a stage."""
        start = time.perf_counter()
        yield
        self.took_ms[stage] += 1000 * (time.perf_counter() - start)

    def document(self) -> dict[str, Any]:
        """The answer as the HTTP service and the CLI give it out.

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
    """Where a browser finds the photo: its own address, or the service's if it is a file."""
    if is_url(image.location):
        return image.location
    return f"/v1/images/{image.image_id}?collection={quote(collection)}"

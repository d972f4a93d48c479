"""Products that searches by other products never find, and those that they find too often.

In spaces of many dimensions some points are among the nearest of very many others ("hubs"), some of
none ("anti-hubs"): M. Radovanović, A. Nanopoulos and M. Ivanović, "Hubs in space: popular nearest
neighbors in high-dimensional data" (JMLR 2010), which counts N_k, the lists of the k nearest that
contain a point. Here a list is the first page of a search by product.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexer.arrays import Ids
from indexer.audit.contents import Contents
from indexer.audit.findings import Finding, Kind
from indexer.audit.nearest import Nearest, nearest

PAGE = 20  # products of a list: one or two pages of a shop
TOO_OFTEN = 10.0  # multiple of the average number of lists
_SIMILAR = 3  # products shown with a finding
_GROWTH = 4
_DECIMALS = 5  # beyond them, differences of scores are those of rounding

Values = NDArray[np.float32]


@dataclass(frozen=True)
class Pages:
    """The similar products of every product.

    Attributes:
        products: (p, up to `PAGE`), the most similar first, never the product itself; -1 beyond
            the last.
        best: (p,) cosine to the most similar product; -inf without one.
    """

    products: NDArray[np.int32]
    best: Values

    @classmethod
    def of(cls, contents: Contents, found: Nearest, advance: Callable[[int], None]) -> "Pages":
        """Ranks the other products by their best photo, as a search by product does.

        Args:
            contents: of the collection.
            found: the nearest photos of every photo.
            advance: called with a number of products that are done.
        """
        total = len(contents.product_ids)
        pages = cls(
            np.full((total, max(0, min(PAGE, total - 1))), -1, np.int32),
            np.full(total, -np.inf, np.float32),
        )
        ranking = _Ranking(contents, found)
        for product in np.unique(contents.owners).tolist():
            ranked, scores = ranking.others(product)
            pages.products[product, : len(ranked)] = ranked
            pages.best[product] = scores[0] if len(scores) else -np.inf
            advance(1)
        return pages

    def counts(self) -> Ids:
        """Returns in how many lists each product is: (p,)."""
        listed = self.products[self.products >= 0]
        return np.bincount(listed, minlength=len(self.products))


def never_found(contents: Contents, pages: Pages) -> list[Finding]:
    """Returns the products that are in no list, the least similar to others first."""
    counts = pages.counts()
    lost = [product for product in _with_photos(contents) if not counts[product]]
    return [
        _finding(
            contents,
            pages,
            Kind.NEVER_FOUND,
            product,
            float(pages.best[product]),
            f"not among the first {PAGE} of any other product; cosine to the most similar one"
            f" {pages.best[product]:.2f}",
        )
        for product in sorted(lost, key=lambda product: float(pages.best[product]))
        if pages.best[product] > -np.inf
    ]


def found_too_often(contents: Contents, pages: Pages) -> list[Finding]:
    """Returns the products that are in far more lists than the average, the most frequent first."""
    counts = pages.counts()
    average = counts.sum() / max(1, len(_with_photos(contents)))
    order = np.argsort(-counts, kind="stable")
    return [
        _finding(
            contents,
            pages,
            Kind.FOUND_TOO_OFTEN,
            product,
            counts[product] / average,
            f"among the first {PAGE} of {counts[product]:,} products; average {average:.0f}",
        )
        for product in order[counts[order] >= max(1, TOO_OFTEN * average)].tolist()
    ]


def _with_photos(contents: Contents) -> list[int]:
    products: list[int] = np.unique(contents.owners).tolist()
    return products


def _finding(
    contents: Contents, pages: Pages, kind: Kind, product: int, score: float, detail: str
) -> Finding:
    similar = pages.products[product][:_SIMILAR]
    return Finding(
        kind,
        score,
        [contents.main_image(product)],
        detail,
        [contents.main_image(other) for other in similar[similar >= 0].tolist()],
    )


class _Ranking:
    """Ranks products by lists of photos."""

    def __init__(self, contents: Contents, found: Nearest) -> None:
        self._contents = contents
        self._found = found
        pairs = np.unique(np.stack([contents.photos, contents.owners]), axis=1)
        starts = np.searchsorted(pairs[0], np.arange(len(contents.vectors)))
        # Of the products with one photo, the first ones by id fill a page.
        kept = np.arange(pairs.shape[1]) - starts[pairs[0]] <= PAGE
        photos, self._holders = pairs[:, kept]
        self._starts = np.searchsorted(photos, np.arange(len(contents.vectors) + 1))

    def others(self, product: int) -> tuple[Ids, Values]:
        """Returns the first other products, equal ones by product id, and their scores."""
        photos, vectors = self._contents.photos_of(product), self._contents.vectors
        found = Nearest(self._found.rows[photos], self._found.scores[photos], self._found.complete)
        while True:
            products, scores = self._by_product(found, product)
            certain = len(products)
            if not found.complete:  # no unseen product scores more than the last photo of a list
                certain = int((scores >= found.scores[:, -1].max().round(_DECIMALS)).sum())
            if found.complete or certain >= PAGE:
                return products[: min(PAGE, certain)], scores[: min(PAGE, certain)]
            found = nearest(vectors[photos], vectors, _GROWTH * found.rows.shape[1])

    def _by_product(self, found: Nearest, product: int) -> tuple[Ids, Values]:
        """Returns the other products with any of the photos, by falling score."""
        rows = found.rows.ravel()
        starts, counts = self._starts[rows], self._starts[rows + 1] - self._starts[rows]
        offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        products = self._holders[np.repeat(starts, counts) + offsets]
        scores = np.repeat(found.scores.ravel().round(_DECIMALS), counts)
        order = np.lexsort((products, -scores))
        order = order[products[order] != product]
        first = order[np.sort(np.unique(products[order], return_index=True)[1])]
        return products[first], scores[first]

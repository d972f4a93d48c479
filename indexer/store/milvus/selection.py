"""Selections of products as Milvus expressions."""

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from indexer.arrays import Vectors, batched
from indexer.errors import BadFilterError, BadParameterError
from indexer.store.conditions import Condition
from indexer.store.milvus.connection import Row
from indexer.store.milvus.expressions import KEYS, LEAD, NOTHING, all_of, is_in, key, meeting
from indexer.store.milvus.reader import MilvusReader
from indexer.store.milvus.rows import attributes_of
from indexer.store.records import Attributes, AttributeValue
from indexer.store.selection import Candidates, FacetCount
from indexer.store.values import Comparable, comparable, members

# Facets and groups of more products are estimated from a sample of about this size.
SAMPLE = 10_000
_MOST_HITS = 16_384  # of one search in Milvus
_ERROR = 1e-6  # of an inner product in float32
_LISTED = 1000  # keys in one expression


@dataclass(frozen=True)
class MilvusSelection:
    """Products that match an expression.

    Args:
        reader: of the version.
        expression: of the selected products, including the excluded ones; "" selects all.
        excluded: product ids.
        share: of the products that `expression` selects: less than 1 if it is a sample.
    """

    reader: MilvusReader
    expression: str = ""
    excluded: frozenset[str] = frozenset()
    share: float = 1.0

    @classmethod
    def meeting(
        cls, reader: MilvusReader, conditions: Sequence[Condition], excluded: Iterable[str]
    ) -> "MilvusSelection":
        """Selects the products that match all conditions, except the excluded ones.

        Raises:
            BadFilterError: a condition is on an attribute that no product has.
        """
        for condition in conditions:
            _require_known(reader, condition)
        return cls(reader, all_of(map(meeting, conditions)), frozenset(excluded))

    @property
    def estimated(self) -> bool:
        """Whether facets and groups are estimated from a sample."""
        return self.share < 1 or self.total > SAMPLE

    @cached_property
    def total(self) -> int:
        if not self.expression:
            return self.reader.state.products - len(self.excluded)
        return round(self.reader.count(all_of([LEAD, self._expression])) / self.share)

    def nearest(self, queries: Vectors, k: int) -> Candidates:
        best: dict[int, tuple[float, str]] = {}
        unseen = -np.inf
        for hits, below in self._hits(queries, k):
            unseen = max(unseen, below)
            for hit in hits:
                found = hit["score"], hit["product_id"]
                best[hit["image_id"]] = max(found, best.get(hit["image_id"], found))
        # Below `unseen`, the score of another query may be higher.
        seen = unseen - 2 * _ERROR
        order = sorted((-score, i) for i, (score, _) in best.items() if score >= seen)
        if len(order) > k:
            unseen = -order[k][0]
        ids = [image_id for _, image_id in order[:k]]
        return Candidates(
            [best[image_id][1] for image_id in ids],
            np.array(ids, np.int64),
            np.array([best[image_id][0] for image_id in ids]),
            unseen,
        )

    def split(
        self, conditions: Sequence[Condition]
    ) -> list[tuple[tuple[bool, ...], "MilvusSelection"]]:
        parts: list[tuple[tuple[bool, ...], MilvusSelection]] = [((), self)]
        for condition in conditions:
            _require_known(self.reader, condition)
            negated = replace(condition, negated=not condition.negated)
            halves = [
                ((*met, flag), part.restricted(meeting(which)))
                for met, part in parts
                for flag, which in ((False, negated), (True, condition))
            ]
            parts = [(met, part) for met, part in halves if part.total]
        return parts if self.total else []

    def among(self, candidates: Candidates) -> Candidates:
        ids = candidates.image_ids.tolist()
        chosen = set()
        for batch in batched(ids, _LISTED):
            within = all_of([is_in("image_id", batch), self._expression])
            chosen |= {row["image_id"] for row in self.reader.rows(within, ("image_id",))}
        mask = np.array([image_id in chosen for image_id in ids], np.bool_)
        return Candidates(
            [name for name, kept in zip(candidates.product_ids, mask, strict=True) if kept],
            candidates.image_ids[mask],
            candidates.scores[mask],
            candidates.unseen,
        )

    def only(self, product_ids: Sequence[str]) -> "MilvusSelection":
        keys = sorted(map(key, product_ids))
        kept = keys[:SAMPLE]  # in the order of the keys, which is random
        chosen = replace(self, share=len(kept) / max(1, len(keys)))
        return chosen.restricted(is_in("product_key", kept) if kept else NOTHING)

    def page(self, after: str, limit: int) -> list[str]:
        return self.reader.ids_after(after, limit, self._expression, self.total)[:limit]

    def facet(self, name: str, limit: int) -> list[FacetCount]:
        _require_attribute(self.reader, name)
        counts: Counter[Comparable] = Counter()
        spellings: dict[Comparable, Counter[tuple[type, AttributeValue]]] = {}
        for attributes in self._attributes:
            for value in members(attributes[name]) if name in attributes else ():
                same = comparable(value)
                counts[same] += 1
                spellings.setdefault(same, Counter())[type(value), value] += 1
        if self.estimated and len(counts) > len(self._attributes) / 2:
            raise BadParameterError(
                f"facets: received {name!r}, which has too many different values to count;"
                " choose an attribute with fewer values"
            )
        shown = [
            FacetCount(_most_frequent(spellings[same]), round(count / self._sampled_share))
            for same, count in counts.items()
        ]
        return sorted(shown, key=lambda facet: (-facet.count, str(facet.value)))[:limit]

    def distinct(self, name: str) -> int:
        _require_attribute(self.reader, name)
        own = [attributes.get(name) for attributes in self._attributes]
        sizes = Counter(comparable(members(value)[0]) for value in own if value is not None)
        alone = own.count(None) / self._sampled_share
        single = sum(size == 1 for size in sizes.values())
        # The estimator GEE: M. Charikar et al., "Towards estimation error guarantees for distinct
        # values" (2000). Exact if the sample is everything.
        groups = len(sizes) - single + single / math.sqrt(self._sampled_share)
        return round(alone + groups)

    def restricted(self, expression: str) -> "MilvusSelection":
        """Returns the products that match another expression too."""
        return replace(self, expression=all_of([self.expression, expression]))

    @cached_property
    def _expression(self) -> str:
        """The expression without the excluded products."""
        hidden = f"not ({is_in('product_key', map(key, self.excluded))})" if self.excluded else ""
        return all_of([self.expression, hidden])

    @property
    def _sampled_share(self) -> float:
        """The share of the selected products in `_attributes`."""
        if self.share < 1:
            return self.share
        return min(1.0, SAMPLE / max(1, self.total))

    @cached_property
    def _attributes(self) -> list[Attributes]:
        """The attributes of the selected products, or of a random sample of them."""
        part = ""
        if self.share == 1 and self.estimated:
            part = f"product_key < {int(self._sampled_share * KEYS)}"
        rows = self.reader.rows(all_of([LEAD, self._expression, part]), ("attributes",))
        return list(map(attributes_of, rows))

    def _hits(self, queries: Vectors, k: int) -> Iterator[tuple[list[Row], float]]:
        """Yields the best k rows for each query, and an upper bound of the scores of the others."""
        limit = min(k, _MOST_HITS)
        pages = self.reader.nearest(queries, self._expression, limit)
        for query, hits in zip(queries, pages, strict=True):
            page, below = hits, 0.0
            while len(page) == limit and len(hits) < k:
                # Lower if a page was of equal scores only.
                last = np.float32(page[-1]["distance"])
                below = float(last if last != below else np.nextafter(last, np.float32(-2)))
                page = self.reader.nearest(query[None], self._expression, limit, below=below)[0]
                seen = {hit["image_id"] for hit in hits}
                hits += [hit for hit in page if hit["image_id"] not in seen]
            yield hits, page[-1]["distance"] + _ERROR if len(page) == limit else -np.inf


def first_values(
    reader: MilvusReader, name: str, product_ids: Sequence[str]
) -> list[Hashable | None]:
    """Returns the comparable of the first value of an attribute of each product; None without.

    Raises:
        BadParameterError: no product has the attribute.
    """
    _require_attribute(reader, name)
    found = {}
    for row in reader.rows_of(product_ids, ("product_id", "position", "attributes")):
        if row["position"] == 0:
            value = attributes_of(row).get(name)
            found[row["product_id"]] = None if value is None else comparable(members(value)[0])
    return [found.get(product_id) for product_id in product_ids]


def _require_known(reader: MilvusReader, condition: Condition) -> None:
    try:
        _require_attribute(reader, condition.field)
    except BadParameterError as error:
        raise BadFilterError(f"received {condition.text!r:.200}; {error}") from None


def _require_attribute(reader: MilvusReader, name: str) -> None:
    names = reader.state.names
    if reader.state.products and name not in names:
        raise BadParameterError(
            f"no product has an attribute {name!r}; existing attributes: {', '.join(sorted(names))}"
        )


def _most_frequent(spellings: Mapping[tuple[type, AttributeValue], int]) -> AttributeValue:
    return min(spellings, key=lambda spelling: (-spellings[spelling], str(spelling[1])))[1]

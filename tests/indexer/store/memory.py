"""A store in dictionaries, written plainly: the model that other implementations are held to."""

import json
import os
import threading
import uuid
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from indexer.arrays import Ids, Vector, Vectors
from indexer.errors import (
    BadFilterError,
    BadParameterError,
    FingerprintMismatchError,
    LockedError,
)
from indexer.store import (
    Attributes,
    AttributeValue,
    Candidates,
    Condition,
    FacetCount,
    Image,
    NewImage,
    Outcome,
    Product,
    PutProduct,
    outcome,
)
from indexer.store.conditions import number_of


@dataclass
class _Version:
    """Everything that a reader sees."""

    seq: int = 0
    last_image_id: int = 0
    fingerprint: str | None = None
    weights: str | None = None
    dimension: int | None = None
    embedding_fields: dict[str, str | int] | None = None
    rows: dict[str, Product] = field(default_factory=dict)
    embeddings: dict[int, Vector] = field(default_factory=dict)
    origin: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def version(self) -> str:
        return f"{self.origin}-{self.seq}"

    def counts(self) -> tuple[int, int]:
        return len(self.rows), len(self.embeddings)

    def product_ids(self, after: str = "") -> Iterator[str]:
        return iter(sorted(name for name in self.rows if name > after))

    def products(self, product_ids: Iterable[str]) -> dict[str, Product]:
        return {name: self.rows[name] for name in product_ids if name in self.rows}

    def images(self, image_ids: Iterable[int]) -> dict[int, Image]:
        everything = {i.image_id: i for row in self.rows.values() for i in row.images}
        return {int(i): everything[int(i)] for i in image_ids if int(i) in everything}

    def known_photos(self, content_hashes: Iterable[str]) -> dict[str, int]:
        wanted = set(content_hashes)
        found = (i for row in self.rows.values() for i in row.images)
        return {i.content_hash: i.image_id for i in found if i.content_hash in wanted}

    def vectors(self, image_ids: Sequence[int] | Ids) -> tuple[Ids, Vectors]:
        ids = sorted({int(i) for i in image_ids})
        vectors = [self.embeddings[i] for i in ids]
        shape = (len(ids), self.dimension or 0)
        return np.array(ids, np.int64), np.array(vectors, np.float32).reshape(shape)

    def all_vectors(self) -> Iterator[tuple[Ids, Vectors]]:
        if self.embeddings:
            yield self.vectors(list(self.embeddings))


class MemoryStore:
    """Implements `indexer.store.Store`."""

    damage = ""
    neighbours_in_use = None
    folder = Path("nowhere")

    def __init__(self) -> None:
        self._version = _Version()
        self._writing = threading.Lock()

    @property
    def seq(self) -> int:
        return self._version.seq

    @contextmanager
    def reader(self) -> Iterator[_Version]:
        yield self._version

    @contextmanager
    def search_reader(self, *, attributes: bool) -> Iterator["_SearchReader"]:  # noqa: ARG002
        yield _SearchReader(self._version)

    @contextmanager
    def writer(self) -> Iterator["_Writer"]:
        if not self._writing.acquire(blocking=False):
            raise LockedError("another writer has the collection", os.getpid())
        try:
            yield _Writer(self)
        finally:
            self._writing.release()

    def refresh(self) -> None:
        pass

    def index_sizes(self) -> dict[str, int]:
        return {"memory": len(self._version.embeddings)}

    def sample(self, size: int) -> Vectors:
        return self._version.vectors(list(self._version.embeddings)[:size])[1]

    def close(self) -> None:
        pass


class _Writer:
    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def bind(
        self,
        *,
        fingerprint: str,
        weights: str,
        dimension: int,
        fields: Mapping[str, str | int] | None = None,
    ) -> None:
        with self._transaction() as version:
            if version.rows and (version.fingerprint, version.dimension) != (
                fingerprint,
                dimension,
            ):
                raise FingerprintMismatchError(f"holds embeddings of {version.weights}")
            if fields or fingerprint != version.fingerprint:
                version.embedding_fields = dict(fields) if fields else None
            version.fingerprint, version.weights = fingerprint, weights
            version.dimension = dimension

    def put(self, products: Iterable[PutProduct]) -> list[Outcome]:
        with self._transaction() as version:
            return [self._put(version, put) for put in products]

    def remove(self, product_ids: Iterable[str]) -> list[str]:
        with self._transaction() as version:
            gone = sorted(set(product_ids) & version.rows.keys())
            for name in gone:
                for image in version.rows.pop(name).images:
                    del version.embeddings[image.image_id]
                version.seq += 1
            return gone

    def _put(self, version: _Version, put: PutProduct) -> Outcome:
        stored = version.rows.get(put.product_id)
        result = outcome(put, stored)
        if result == "unchanged":
            return result
        version.seq += 1
        kept = {image.content_hash: image.image_id for image in (stored.images if stored else ())}
        images = tuple(self._image(version, put.product_id, new, kept) for new in put.images)
        for image_id in kept.values():
            del version.embeddings[image_id]
        version.rows[put.product_id] = Product(put.product_id, dict(put.attributes), images)
        return result

    def _image(
        self, version: _Version, product_id: str, new: NewImage, kept: dict[str, int]
    ) -> Image:
        image_id = kept.pop(new.content_hash, None)
        if image_id is None:
            image_id = version.last_image_id = version.last_image_id + 1
            assert new.vector is not None
            version.embeddings[image_id] = new.vector
        return Image(image_id, product_id, new.uri, new.location, new.content_hash)

    @contextmanager
    def _transaction(self) -> Iterator[_Version]:
        version = deepcopy(self._store._version)
        yield version
        self._store._version = version


@dataclass(frozen=True)
class _SearchReader:
    reader: _Version

    def select(
        self, conditions: Sequence[Condition] = (), excluded: Iterable[str] = ()
    ) -> "_Selection":
        names = set(self.reader.rows) - set(excluded)
        return _Selection(self.reader, frozenset(names)).meeting(conditions)

    def neighbours(self, product_ids: Sequence[str], k: int) -> dict[str, Candidates]:
        """Those of products with an even number of photos, so that there are others."""
        found = {}
        for name in set(product_ids) & self.reader.rows.keys():
            images = [image.image_id for image in self.reader.rows[name].images]
            if len(images) % 2 == 0:
                found[name] = self._ranking(self.reader.vectors(images)[1], k)
        return found

    def _ranking(self, queries: Vectors, k: int) -> Candidates:
        everything = self.select().nearest(queries, len(self.reader.embeddings))
        rows = zip(-everything.scores, everything.product_ids, everything.image_ids, strict=True)
        best: dict[str, tuple[float, str, int]] = {}
        for row in sorted(rows):
            best.setdefault(row[1], row)
        first = list(best.values())[:k]
        unseen = -np.inf if len(first) == len(best) else -first[-1][0]
        scores, names, ids = zip(*first, strict=True)
        return Candidates(names, np.array(ids), -np.array(scores), unseen)

    def has_attribute(self, name: str) -> bool:
        return any(name in product.attributes for product in self.reader.rows.values())

    def first_values(self, name: str, product_ids: Sequence[str]) -> list[Hashable | None]:
        if not self.has_attribute(name):
            raise BadParameterError(f"no product has an attribute {name!r}")
        found = (self.reader.rows[each].attributes.get(name) for each in product_ids)
        return [None if value is None else same(members(value)[0]) for value in found]

    def image_vectors(self, image_ids: Ids) -> Vectors:
        return np.stack([self.reader.embeddings[i] for i in image_ids.tolist()])


@dataclass(frozen=True)
class _Selection:
    version: _Version
    names: frozenset[str]
    estimated = False

    @property
    def total(self) -> int:
        return len(self.names)

    def meeting(self, conditions: Sequence[Condition]) -> "_Selection":
        self._require_known(conditions)
        names = {name for name in self.names if all(meets(c, self._of(name)) for c in conditions)}
        return replace(self, names=frozenset(names))

    def nearest(self, queries: Vectors, k: int) -> Candidates:
        unit = queries.astype(np.float64)
        rows = []
        for name in self.names:
            for image in self.version.rows[name].images:
                vector = self.version.embeddings[image.image_id].astype(np.float64)
                score = float((unit @ vector).max() / np.linalg.norm(vector))
                rows.append((-score, image.image_id, name))
        rows.sort()
        unseen = -rows[k][0] if len(rows) > k else -np.inf
        scores = np.array([-score for score, _, _ in rows[:k]])
        ids = np.array([image_id for _, image_id, _ in rows[:k]], np.int64)
        return Candidates([name for _, _, name in rows[:k]], ids, scores, unseen)

    def among(self, candidates: Candidates) -> Candidates:
        mask = np.array([name in self.names for name in candidates.product_ids], np.bool_)
        names = [name for name in candidates.product_ids if name in self.names]
        return Candidates(
            names, candidates.image_ids[mask], candidates.scores[mask], candidates.unseen
        )

    def split(self, conditions: Sequence[Condition]) -> list[tuple[tuple[bool, ...], "_Selection"]]:
        self._require_known(conditions)
        parts: dict[tuple[bool, ...], set[str]] = {}
        for name in self.names:
            met = tuple(meets(condition, self._of(name)) for condition in conditions)
            parts.setdefault(met, set()).add(name)
        return [(met, replace(self, names=frozenset(part))) for met, part in parts.items()]

    def only(self, product_ids: Sequence[str]) -> "_Selection":
        return replace(self, names=frozenset(product_ids))

    def page(self, after: str, limit: int) -> list[str]:
        return sorted(name for name in self.names if name > after)[:limit]

    def facet(self, name: str, limit: int) -> list[FacetCount]:
        self._require(name)
        counts: Counter[object] = Counter()
        spellings: dict[object, Counter[AttributeValue]] = {}
        for each in self.names:
            value = self._of(each).get(name)
            for member in (
                {same(m): m for m in members(value)}.values() if value is not None else ()
            ):
                counts[same(member)] += 1
                spellings.setdefault(same(member), Counter())[member] += 1
        shown = [
            FacetCount(min(spellings[key], key=lambda v: (-spellings[key][v], str(v))), count)
            for key, count in counts.items()
        ]
        return sorted(shown, key=lambda facet: (-facet.count, str(facet.value)))[:limit]

    def distinct(self, name: str) -> int:
        self._require(name)
        found = [self._of(each).get(name) for each in self.names]
        groups = {same(members(value)[0]) for value in found if value is not None}
        return len(groups) + found.count(None)

    def _of(self, name: str) -> Attributes:
        return self.version.rows[name].attributes

    def _require(self, name: str) -> None:
        if self.version.rows and not any(name in r.attributes for r in self.version.rows.values()):
            raise BadParameterError(f"no product has an attribute {name!r}")

    def _require_known(self, conditions: Sequence[Condition]) -> None:
        for condition in conditions:
            try:
                self._require(condition.field)
            except BadParameterError as error:
                raise BadFilterError(str(error)) from None


def meets(condition: Condition, attributes: Attributes) -> bool:
    """Whether a product meets a condition."""
    own = attributes.get(condition.field)
    found = own is not None and any(_meets(condition, member) for member in members(own))
    return found != condition.negated


def members(value: AttributeValue) -> list[AttributeValue]:
    """The values that a value stands for: several if it is a list in JSON."""
    if isinstance(value, str) and value.startswith("["):
        return list(json.loads(value))
    return [value]


def same(value: AttributeValue) -> Hashable:
    """Equal for what a filter takes for equal."""
    return str(value).casefold() if isinstance(value, bool | str) else float(value)


def _meets(condition: Condition, own: AttributeValue) -> bool:
    if condition.operator == ":":
        return any(
            same(own) == value.casefold()
            if isinstance(own, bool | str)
            else float(own) == number_of(value)
            for value in condition.values
        )
    number = number_of(own) if isinstance(own, str) else np.nan if isinstance(own, bool) else own
    return {
        "<": number < condition.bound,
        "<=": number <= condition.bound,
        ">": number > condition.bound,
        ">=": number >= condition.bound,
    }[condition.operator]

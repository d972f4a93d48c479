"""What search and ingest need of a collection, wherever it is kept.

A `Store` is one collection. `reader` gives everything as of one version, `search_reader` can rank
as well, and `writer` is the one that changes it; ingest needs the `Records` part only. Every method
answers one question for many products, images or vectors at once: an implementation may have to
ask another machine.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from indexer.arrays import Ids, Scores, Vectors
from indexer.store.conditions import Condition
from indexer.store.records import AttributeValue, Image, Outcome, Product, PutProduct


@dataclass(frozen=True)
class FacetCount:
    """A value of an attribute, and how many products have it."""

    value: AttributeValue
    count: int


@dataclass(frozen=True)
class Candidates:
    """The best images of a selection, by falling score.

    Args:
        product_ids: (n) of the products that own the images.
        image_ids: (n,).
        scores: (n,) cosines, exact to 1e-7.
        unseen: no other image of the selection has a higher score; -inf if there is no other.
    """

    product_ids: Sequence[str]
    image_ids: Ids
    scores: Scores
    unseen: float = -np.inf


class Selection(Protocol):
    """Products of one reader that meet conditions. Immutable."""

    @property
    def total(self) -> int:
        """The number of products."""
        ...

    def nearest(self, queries: Vectors, k: int) -> Candidates:
        """The best images, each by its best cosine to any of the queries (m, dimension).

        There are k of them, or fewer if `unseen` says up to which score they are complete.
        """
        ...

    def split(
        self, conditions: Sequence[Condition]
    ) -> Sequence[tuple[tuple[bool, ...], "Selection"]]:
        """Parts of products that meet the same of the conditions, and which; no empty ones.

        Raises:
            BadFilterError: a condition is on an attribute that no product has.
        """
        ...

    def only(self, product_ids: Sequence[str]) -> "Selection":
        """Those of the products, all of which are in this selection."""
        ...

    def facet(self, name: str, limit: int) -> list[FacetCount]:
        """How many products have each value of an attribute: the `limit` most frequent values.

        Values that a filter holds for equal are counted together, as most products write them.

        Raises:
            BadParameterError: no product has the attribute, or its values are too many.
        """
        ...

    def distinct(self, name: str) -> int:
        """The number of groups by an attribute; a product without it is a group of its own.

        Raises:
            BadParameterError: no product has the attribute.
        """
        ...


class Reader(Protocol):
    """A collection as of one version.

    Every method raises a CatalogError if what it reads is damaged or cannot be read.
    """

    @property
    def seq(self) -> int:
        """The number of the last change."""
        ...

    @property
    def fingerprint(self) -> str | None:
        """The fingerprint of every embedding; None before the first."""
        ...

    @property
    def weights(self) -> str | None:
        """The weights that made the embeddings; None before the first."""
        ...

    @property
    def embedding_fields(self) -> dict[str, str | int] | None:
        """What the fingerprint is of; None where it was not recorded."""
        ...

    @property
    def dimension(self) -> int | None:
        """The length of every embedding; None before the first."""
        ...

    def counts(self) -> tuple[int, int]:
        """The number of products and of images."""
        ...

    def product_ids(self) -> Iterator[str]:
        """Every product id, in the order of their code points."""
        ...

    def products(self, product_ids: Iterable[str]) -> dict[str, Product]:
        """Those of the products that exist, by id."""
        ...

    def images(self, image_ids: Iterable[int]) -> dict[int, Image]:
        """Those of the images that exist, by id."""
        ...

    def known_photos(self, content_hashes: Iterable[str]) -> dict[str, int]:
        """An image id for each content hash that is embedded already."""
        ...

    def vectors(self, image_ids: Sequence[int] | Ids) -> tuple[Ids, Vectors]:
        """The embeddings of images that exist: ids (n,) ascending, vectors (n, dimension)."""
        ...

    def all_vectors(self) -> Iterator[tuple[Ids, Vectors]]:
        """Every embedding in chunks as `vectors` returns them, ids ascending."""
        ...


class SearchReader(Protocol):
    """Ranks the products of one version.

    Conditions, facets, groups and values need a reader that was opened with `attributes`.
    """

    @property
    def reader(self) -> Reader:
        """The same version, to read products from."""
        ...

    def select(
        self, conditions: Sequence[Condition] = (), excluded: Iterable[str] = ()
    ) -> Selection:
        """The products that meet every condition, without the excluded ones, which exist.

        Raises:
            BadFilterError: a condition is on an attribute that no product has.
        """
        ...

    def has_attribute(self, name: str) -> bool:
        """Whether any product has the attribute."""
        ...

    def first_values(self, name: str, product_ids: Sequence[str]) -> list[Hashable | None]:
        """What stands for the first value of an attribute of each product; None without one.

        Values that a filter holds for equal are equal.

        Raises:
            BadParameterError: no product has the attribute.
        """
        ...

    def image_vectors(self, image_ids: Ids) -> Vectors:
        """The embeddings of images that candidates named, (n, dimension), in that order."""
        ...


class Writer(Protocol):
    """The one writer of a collection."""

    def bind(
        self,
        *,
        fingerprint: str,
        weights: str,
        dimension: int,
        fields: Mapping[str, str | int] | None = None,
    ) -> None:
        """Fixes the kind of embedding that the collection holds, once; later calls must agree.

        Args:
            fields: what the fingerprint is of, to name differences later; None if not known.

        Raises:
            FingerprintMismatchError: it holds embeddings of another kind.
        """
        ...

    def put(self, products: Iterable[PutProduct]) -> list[Outcome]:
        """Adds or changes products, durable when this returns."""
        ...

    def remove(self, product_ids: Iterable[str]) -> list[str]:
        """Removes products, durable when this returns; returns the ids that existed."""
        ...


class Records(Protocol):
    """The products of one collection. Any number of threads may read from one object."""

    def reader(self) -> AbstractContextManager[Reader]:
        """Everything as of now, whatever is written meanwhile. Keep it short."""
        ...

    def writer(self) -> AbstractContextManager[Writer]:
        """
        Raises:
            LockedError: another process is writing.
        """
        ...


class Store(Records, Protocol):
    """A collection that can be searched."""

    def search_reader(self, *, attributes: bool) -> AbstractContextManager[SearchReader]:
        """As `reader`, to rank products.

        Args:
            attributes: whether conditions, facets, groups or values will be asked for.
        """
        ...

    @property
    def seq(self) -> int:
        """The version that a search reads at least."""
        ...

    def refresh(self) -> None:
        """Takes up what was written since, so that no search has to.

        Raises:
            CatalogError: what is stored is damaged or cannot be read.
        """
        ...

    def index_sizes(self) -> dict[str, int]:
        """Images that a search reads, by part of the index."""
        ...

    def close(self) -> None:
        """Closes the connections that no one uses."""
        ...

    def sample(self, size: int) -> Vectors:
        """The embeddings (n, dimension) of about `size` images, or of all if there are fewer."""
        ...

"""The storage protocol of a collection, as used by search and ingest.

A `Store` is one collection. `reader` opens a consistent read of one version, `search_reader` can
also rank, and `writer` makes changes. Ingest uses only the `Records` part. Methods take many
products, images or vectors per call, because an implementation may be on another machine.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from indexer.arrays import Ids, Vectors
from indexer.store.conditions import Condition
from indexer.store.records import Image, Outcome, Product, PutProduct
from indexer.store.selection import Candidates, Selection


class Reader(Protocol):
    """A collection as of one version.

    Every method raises CatalogError if the data is damaged or cannot be read.
    """

    @property
    def seq(self) -> int:
        """Number of the last change."""
        ...

    @property
    def version(self) -> str:
        """Stands for everything that this reader sees; another collection has another one."""
        ...

    @property
    def fingerprint(self) -> str | None:
        """Fingerprint of all embeddings; None before the first."""
        ...

    @property
    def weights(self) -> str | None:
        """Name or path of the weights of all embeddings; None before the first."""
        ...

    @property
    def embedding_fields(self) -> dict[str, str | int] | None:
        """The fields that the fingerprint covers; None if they were not recorded."""
        ...

    @property
    def dimension(self) -> int | None:
        """Length of all embeddings; None before the first."""
        ...

    def counts(self) -> tuple[int, int]:
        """Returns the number of products and of images."""
        ...

    def product_ids(self, after: str = "") -> Iterator[str]:
        """Yields every product id above `after`, in code point order."""
        ...

    def products(self, product_ids: Iterable[str]) -> dict[str, Product]:
        """Returns the products by id, without those that do not exist."""
        ...

    def images(self, image_ids: Iterable[int]) -> dict[int, Image]:
        """Returns the images by id, without those that do not exist."""
        ...

    def known_photos(self, content_hashes: Iterable[str]) -> dict[str, int]:
        """Returns an image id for each content hash that is already embedded."""
        ...

    def vectors(self, image_ids: Sequence[int] | Ids) -> tuple[Ids, Vectors]:
        """Returns the embeddings of existing images: ids (n,) ascending, vectors (n, dimension)."""
        ...

    def all_vectors(self) -> Iterator[tuple[Ids, Vectors]]:
        """Yields all embeddings in chunks like those of `vectors`, by ascending id."""
        ...


class SearchReader(Protocol):
    """Ranks the products of one version.

    Conditions, facets, groups and values require a reader that was opened with `attributes`.
    """

    @property
    def reader(self) -> Reader:
        """A reader of the same version."""
        ...

    def select(
        self, conditions: Sequence[Condition] = (), excluded: Iterable[str] = ()
    ) -> Selection:
        """Selects the products that match all conditions.

        Args:
            conditions: on attributes.
            excluded: ids of products to leave out; all of them exist.

        Raises:
            BadFilterError: a condition is on an attribute that no product has.
        """
        ...

    def neighbours(self, product_ids: Sequence[str], k: int) -> Mapping[str, Candidates]:
        """Returns precomputed results: the first k products of the ranking by a product's images.

        A store that precomputes nothing returns an empty mapping.

        Args:
            product_ids: some may not exist.
            k: maximum number of candidates; there may be fewer, although there are more products.

        Returns:
            For some of the products: one image of each product of the ranking, itself included, in
            its order. All products that are left out rank below the last one.
        """
        ...

    def has_attribute(self, name: str) -> bool:
        """Returns whether any product has the attribute."""
        ...

    def first_values(self, name: str, product_ids: Sequence[str]) -> list[Hashable | None]:
        """Returns a key for the first value of an attribute of each product; None without a value.

        Keys are equal if a filter treats the values as equal.

        Raises:
            BadParameterError: no product has the attribute.
        """
        ...

    def image_vectors(self, image_ids: Ids) -> Vectors:
        """Returns the embeddings of images from `Candidates`, (n, dimension), in this order."""
        ...


class Writer(Protocol):
    """Writes to a collection, which has one writer at a time."""

    def bind(
        self,
        *,
        fingerprint: str,
        weights: str,
        dimension: int,
        fields: Mapping[str, str | int] | None = None,
    ) -> None:
        """Records the settings of the collection's embeddings; later calls must agree.

        Args:
            fingerprint: of the embeddings.
            weights: name or path of the weights.
            dimension: length of a vector.
            fields: the fields that the fingerprint covers, for naming differences later; None if
                unknown.

        Raises:
            FingerprintMismatchError: the collection holds embeddings of other settings.
        """
        ...

    def put(self, products: Iterable[PutProduct]) -> list[Outcome]:
        """Adds or updates products. The change is durable when this returns."""
        ...

    def remove(self, product_ids: Iterable[str]) -> list[str]:
        """Removes products; returns the ids that existed. Durable when this returns."""
        ...


class Records(Protocol):
    """The products of one collection. Thread-safe for reading."""

    @property
    def folder(self) -> Path:
        """The folder that has the uploaded photos of the collection."""
        ...

    def reader(self) -> AbstractContextManager[Reader]:
        """Opens a consistent read of the current version. Keep it short."""
        ...

    def writer(self) -> AbstractContextManager[Writer]:
        """Opens the writer.

        Raises:
            LockedError: another process is writing.
        """
        ...


class Store(Records, Protocol):
    """A collection that can be searched."""

    def search_reader(self, *, attributes: bool) -> AbstractContextManager[SearchReader]:
        """Opens a consistent read of the current version for ranking.

        Args:
            attributes: whether conditions, facets, groups or values will be used.
        """
        ...

    @property
    def seq(self) -> int:
        """The version that the next search reads, or an earlier one."""
        ...

    def refresh(self) -> None:
        """Loads the changes since the last call, so that searches do not have to.

        Raises:
            CatalogError: the data is damaged or cannot be read.
        """
        ...

    def index_sizes(self) -> dict[str, int]:
        """Returns the number of images in each part of the index."""
        ...

    @property
    def damage(self) -> str:
        """The first damage that a reader met; "" if none."""
        ...

    @property
    def neighbours_in_use(self) -> bool | None:
        """Whether searches use precomputed neighbours; None if there are none."""
        ...

    def close(self) -> None:
        """Closes the connections that are not in use."""
        ...

    def sample(self, size: int) -> Vectors:
        """Returns the embeddings (n, dimension) of about `size` images, or of all if fewer."""
        ...

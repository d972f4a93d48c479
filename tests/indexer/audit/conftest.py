"""Collections with planted faults, in a plain store."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256

import numpy as np
from numpy.typing import ArrayLike

from indexer.arrays import Vector, Vectors, normalised
from indexer.audit.contents import Contents, read_contents
from indexer.audit.findings import Audit, Finding, Kind
from indexer.audit.nearest import Nearest, nearest
from indexer.audit.run import OF_FILES, audit
from indexer.store import Attributes, NewImage, PutProduct
from tests.indexer.store.memory import MemoryStore

OF_VECTORS = frozenset(Kind) - OF_FILES


def photo(name: str, vector: Vector) -> NewImage:
    return NewImage(f"{name}.jpg", f"/{name}.jpg", sha256(name.encode()).hexdigest(), vector)


def collection(
    products: Mapping[str, Sequence[str]],
    vectors: Mapping[str, ArrayLike],
    attributes: Mapping[str, Attributes] | None = None,
) -> MemoryStore:
    """A store of products, given by the names of their photos."""
    names = list(vectors)
    rows = normalised(np.array([vectors[name] for name in names], np.float32))
    unit = dict(zip(names, rows, strict=True))
    store = MemoryStore()
    with store.writer() as writer:
        writer.bind(fingerprint="f" * 64, weights="w", dimension=rows.shape[1])
        writer.put(
            PutProduct(
                product_id,
                (attributes or {}).get(product_id, {}),
                tuple(photo(name, unit[name]) for name in photos),
            )
            for product_id, photos in products.items()
        )
    return store


def contents_of(store: MemoryStore) -> tuple[Contents, Nearest]:
    """The contents of a store, and a short list of neighbours, so that longer ones are needed."""
    with store.reader() as reader:
        contents = read_contents(reader, None)
    return contents, nearest(contents.vectors, contents.vectors, 4)


@contextmanager
def silent(_name: str, _total: int) -> Iterator[Callable[[int], None]]:
    """A stage of the work that is not shown."""
    yield lambda _: None


def audited(
    store: MemoryStore, kinds: Collection[Kind] = OF_VECTORS, label: str | None = None
) -> Audit:
    return audit(store, kinds, silent, label=label)


def products(found: Sequence[Finding]) -> list[list[str]]:
    return [finding.products for finding in found]


def random_vectors(count: int, dimension: int = 8, seed: int = 0) -> Vectors:
    return normalised(np.random.RandomState(seed).normal(size=(count, dimension)))

"""What changed in a catalogue since a table of neighbours was made."""

from dataclasses import dataclass

import numpy as np

from indexer.arrays import Ids, Vectors
from indexer.store.embedded.catalog import CatalogReader
from indexer.store.embedded.catalog.segments import images_changed_since
from indexer.store.embedded.index import cosines
from indexer.store.embedded.neighbours.exact import TOLERANCE
from indexer.store.embedded.neighbours.merging import Entry
from indexer.store.embedded.neighbours.table import Origin

# Additions and removals of images since the table; with more, a search is as fast as a look-up.
MAX_CHANGES = 1000


def continues(reader: CatalogReader, origin: Origin) -> bool:
    """Returns whether a reader is of the same catalogue as `origin`, at its version or later.

    False after a re-embedding, and if the catalogue was replaced by that of a snapshot.
    """
    return (
        (reader.fingerprint, reader.generation) == (origin.fingerprint, origin.generation)
        and origin.seq <= reader.seq
        and reader.chain_at(origin.seq) == origin.chain
    )


def is_usable(reader: CatalogReader, origin: Origin) -> bool:
    """Returns whether searches use a table from `origin` as of the reader's version."""
    return continues(reader, origin) and images_changed_since(reader, origin.seq) <= MAX_CHANGES


@dataclass(frozen=True)
class Changed:
    """The products whose images were added or removed since a version, with their images now.

    Args:
        product_ids: including those of removed products.
        owners: n product ids, of the images.
        ids: (n,) image ids.
        vectors: (n, dimension).
    """

    product_ids: frozenset[str]
    owners: list[str]
    ids: Ids
    vectors: Vectors

    @classmethod
    def of(cls, reader: CatalogReader, product_ids: frozenset[str]) -> "Changed":
        """Reads the images of products that have changed."""
        owners = {
            image.image_id: product.product_id
            for product in reader.products(product_ids).values()
            for image in product.images
        }
        ids, vectors = reader.vectors(list(owners))
        return cls(product_ids, [owners[image_id] for image_id in ids.tolist()], ids, vectors)

    @classmethod
    def since(cls, reader: CatalogReader, seq: int) -> "Changed":
        """Reads the changes after `seq`."""
        return cls.of(reader, reader.changes_since(seq).product_ids)

    def updated(self, reader: CatalogReader, product_ids: frozenset[str]) -> "Changed":
        """Returns the changes including those of more products, some of which may be known."""
        kept = [row for row, owner in enumerate(self.owners) if owner not in product_ids]
        new = self.of(reader, product_ids)
        return Changed(
            self.product_ids | product_ids,
            [self.owners[row] for row in kept] + new.owners,
            np.concatenate([self.ids[kept], new.ids]),
            np.concatenate([self.vectors[kept], new.vectors]),
        )

    def entries(self, queries: Vectors, floor: float) -> list[Entry]:
        """Returns the images whose cosine to a query (m, dimension) may be `floor` or more."""
        if not len(self.ids):
            return []
        near = (self.vectors @ queries.T).max(axis=1) >= floor - TOLERANCE
        return self.scored(np.flatnonzero(near), queries)

    def scored(self, rows: Ids, queries: Vectors) -> list[Entry]:
        """Returns some of the images, with their highest cosine to any of the queries."""
        scores = cosines(queries, self.vectors[rows]).tolist()
        ids = self.ids[rows].tolist()
        return [
            Entry(-score, self.owners[row], image_id)
            for score, row, image_id in zip(scores, rows.tolist(), ids, strict=True)
        ]

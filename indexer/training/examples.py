"""Photos of products with labels in one or more columns."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from indexer.arrays import Ids
from indexer.evaluation.labels import Labelled, LabelsError
from indexer.evaluation.tasks import Photos

NONE = -1  # number of the label of products without one


@dataclass(frozen=True)
class Examples:
    """Photos of products that have a label in at least one column.

    Attributes:
        photos: of the products.
        image_ids: (photos,), of a collection; of a feed, the numbers of the photos.
        names: of the labels, by column.
        labels: (products, columns), index of each label in its names, or `NONE`.
        unlabelled: number of products without any label, which are left out.
    """

    photos: Photos
    image_ids: Ids
    names: Mapping[str, list[str]]
    labels: Ids
    unlabelled: int

    @property
    def of_photos(self) -> Ids:
        """The labels of each photo: (photos, columns)."""
        return self.labels[self.photos.owners]

    def keep(self, kept: Ids) -> "Examples":
        """Returns some of the photos, and the products that have one of them."""
        gallery = Labelled(self.photos, [], np.arange(len(self.labels)), self.image_ids, 0)
        part = gallery.keep(kept)
        return replace(
            self, photos=part.photos, image_ids=part.image_ids, labels=self.labels[part.labels]
        )

    def with_hashes(self, content_hashes: list[str]) -> "Examples":
        """Returns the same photos with the hashes of their files."""
        return replace(self, photos=replace(self.photos, content_hashes=content_hashes))

    def column(self, place: int) -> tuple[Labelled, Ids]:
        """Returns the photos that have a label in a column, and their places here."""
        rows: Ids = np.flatnonzero(self.of_photos[:, place] != NONE)
        gallery = Labelled(
            self.photos, list(self.names.values())[place], self.labels[:, place], self.image_ids, 0
        )
        return gallery.keep(rows), rows

    def require_pairs(self, need: str) -> None:
        """Checks that in some column two labels have two products each.

        Args:
            need: what needs them, as the start of the error.

        Raises:
            LabelsError: they do not.
        """
        counts = [np.bincount(column[column != NONE]) for column in self.labels.T]
        if not any((each >= 2).sum() >= 2 for each in counts):
            found = ", ".join(
                f"{(each > 0).sum()} labels of {name}, {(each >= 2).sum()} with two products"
                for name, each in zip(self.names, counts, strict=True)
            )
            raise LabelsError(
                f"too little to learn from: {need} two labels with two products each, received"
                f" {found}; add labelled products"
            )


def joined(everything: Labelled, by_column: Mapping[str, Labelled]) -> Examples:
    """Returns the products that have a label in at least one column.

    Args:
        everything: all photos, labelled or not.
        by_column: those with a label in each column.
    """
    places = {name: place for place, name in enumerate(everything.photos.product_ids)}
    labels = np.full((len(places), len(by_column)), NONE)
    for column, labelled in enumerate(by_column.values()):
        rows = [places[product_id] for product_id in labelled.photos.product_ids]
        labels[rows, column] = labelled.labels
    known = (labels != NONE).any(axis=1)
    names = {name: labelled.names for name, labelled in by_column.items()}
    every = Examples(
        everything.photos, everything.image_ids, names, labels, int(np.count_nonzero(~known))
    )
    return every.keep(np.flatnonzero(known[everything.photos.owners]))

"""Photos of products with labels in one or more columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from indexer.arrays import Ids
from indexer.evaluation.labels import Labelled, LabelsError
from indexer.evaluation.tasks import PhotoSet

NONE = -1  # number of the label of products without one


@dataclass(frozen=True)
class Examples:
    """Photos of products that have a label in at least one column.

    Attributes:
        photos: of the products.
        image_ids: (photos,), of a collection; of a feed, the numbers of the photos.
        names: of the labels, by column.
        labels: (products, columns), index of each label in its names, or `NONE`.
        families: (products,), equal numbers for variants of one product.
        unlabelled: by column, the number of products without a label in it.
        without_photos: by column, the number of products with a label and no photo.
    """

    photos: PhotoSet
    image_ids: Ids
    names: Mapping[str, list[str]]
    labels: Ids
    families: Ids
    unlabelled: Sequence[int]
    without_photos: Sequence[int]

    @property
    def photo_labels(self) -> Ids:
        """The labels of each photo: (photos, columns)."""
        return self.labels[self.photos.owners]

    def keep(self, kept: Ids) -> "Examples":
        """Returns some of the photos, and the products that have one of them."""
        photos, products = self.photos.with_their_products(kept)
        return replace(
            self,
            photos=photos,
            image_ids=self.image_ids[kept],
            labels=self.labels[products],
            families=self.families[products],
        )

    def with_hashes(self, content_hashes: list[str]) -> "Examples":
        """Returns the same photos with the hashes of their files."""
        return replace(self, photos=replace(self.photos, content_hashes=content_hashes))

    def column(self, place: int) -> tuple[Labelled, Ids]:
        """Returns the photos that have a label in a column, and their places here."""
        rows: Ids = np.flatnonzero(self.photo_labels[:, place] != NONE)
        labelled = Labelled(
            self.photos,
            list(self.names.values())[place],
            self.labels[:, place],
            self.families,
            self.image_ids,
            self.unlabelled[place],
            self.without_photos[place],
        )
        return labelled.keep(rows), rows

    def require_pairs(self, need: str) -> None:
        """Checks that in every column two labels have two products each.

        Args:
            need: what needs them, as the start of the error.

        Raises:
            LabelsError: they do not.
        """
        for name, column in zip(self.names, self.labels.T, strict=True):
            counts = np.bincount(column[column != NONE])
            if np.count_nonzero(counts >= 2) < 2:
                raise LabelsError(
                    f"too little to learn from: {need} two labels with two products each, received"
                    f" {np.count_nonzero(counts)} labels of {name},"
                    f" {np.count_nonzero(counts >= 2)} with two products; add labelled products, or"
                    " choose other labels with --label"
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
    every = Examples(
        everything.photos,
        everything.image_ids,
        {name: labelled.names for name, labelled in by_column.items()},
        labels,
        everything.families,
        [labelled.unlabelled for labelled in by_column.values()],
        [labelled.without_photos for labelled in by_column.values()],
    )
    known = (labels != NONE).any(axis=1)
    return every.keep(np.flatnonzero(known[everything.photos.owners]))

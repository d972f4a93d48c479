"""What an audit needs of a collection, read in one go."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from indexer.arrays import Ids, Vectors, batched
from indexer.evaluation.labels import (
    LabelsError,
    family_of,
    label_text,
    no_attribute,
    numbered,
    numbered_labels,
)
from indexer.store import Image, Reader

DEFAULT_LABEL = "category"
_BATCH = 500


@dataclass(frozen=True)
class Contents:
    """Products, images and distinct photos of one version of a collection.

    A photo is a content hash: images with the same file are one photo. Products, images and photos
    are numbered by their index here.

    Attributes:
        seq: of the version.
        product_ids: p ids, in code point order.
        families: (p,), equal for variants of one product.
        label: the attribute in `labels`; None without labels.
        label_names: the values of that attribute.
        labels: (p,), index in `label_names`; -1 for products without the attribute.
        images: n images, by product.
        owners: (n,) ascending, the product of each image.
        photos: (n,), the photo of each image.
        vectors: (u, dimension), of the photos.
    """

    seq: int
    product_ids: Sequence[str]
    families: Ids
    label: str | None
    label_names: Sequence[str]
    labels: Ids
    images: Sequence[Image]
    owners: Ids
    photos: Ids
    vectors: Vectors

    @cached_property
    def _by_photo(self) -> tuple[Ids, Ids]:
        """The images in the order of their photos, and the start of each photo, with the end."""
        order = np.argsort(self.photos, kind="stable")
        return order, np.searchsorted(self.photos[order], np.arange(len(self.vectors) + 1))

    def images_of(self, photo: int) -> Ids:
        """Returns the images with a photo, by product."""
        order, starts = self._by_photo
        return order[starts[photo] : starts[photo + 1]]

    def owners_of(self, photo: int) -> Ids:
        """Returns the products with a photo, ascending."""
        return np.unique(self.owners[self.images_of(photo)])

    def photos_of(self, product: int) -> Ids:
        """Returns the photos of a product."""
        first, last = np.searchsorted(self.owners, [product, product + 1])
        return np.unique(self.photos[first:last])

    def image_of(self, photo: int) -> Image:
        """Returns the first image with a photo."""
        return self.images[int(self.images_of(photo)[0])]

    def main_image(self, product: int) -> Image:
        """Returns the first image of a product that has any."""
        return self.images[int(np.searchsorted(self.owners, product))]

    def one_per_product(self, photos: Iterable[int]) -> list[Image]:
        """Returns the first image of each product that has any of the photos, by product."""
        images = np.concatenate([self.images_of(photo) for photo in photos])
        first = np.unique(self.owners[images], return_index=True)[1]
        return [self.images[image] for image in images[first].tolist()]

    def agreed(self, values: Ids) -> Ids:
        """Returns the value (u,) of each photo's products, given as (p,); -1 if they differ."""
        of_images = values[self.owners]
        highest = np.full(len(self.vectors), -1)
        np.maximum.at(highest, self.photos, of_images)
        lowest = highest.copy()
        np.minimum.at(lowest, self.photos, of_images)
        return np.where(lowest == highest, highest, -1)


def read_contents(reader: Reader, label: str | None) -> Contents:
    """Reads a collection.

    Args:
        reader: of the collection.
        label: name of an attribute; None for `DEFAULT_LABEL`, if any product has it.

    Raises:
        LabelsError: there are no products, or none has the attribute `label`.
    """
    products: list[tuple[str, str]] = []  # family and label
    product_ids: list[str] = []
    owners: list[int] = []
    images: list[Image] = []
    names: Counter[str] = Counter()
    wanted = label or DEFAULT_LABEL
    for batch in batched(reader.product_ids(), _BATCH):
        found = reader.products(batch)
        for product in map(found.__getitem__, batch):
            names.update(product.attributes.keys())
            family = family_of(product.product_id, product.attributes)
            products.append((family, label_text(product.attributes.get(wanted, ""))))
            owners += [len(product_ids)] * len(product.images)
            product_ids.append(product.product_id)
            images += product.images
    if not product_ids:
        raise LabelsError("the collection has no products; add some first")
    if label and not names[label]:
        raise LabelsError(no_attribute(label, names))
    label_names, labels = numbered_labels([text for _, text in products])
    photos = numbered([image.content_hash for image in images])
    return Contents(
        reader.seq,
        product_ids,
        numbered([family for family, _ in products]),
        wanted if label_names else None,
        label_names,
        labels,
        images,
        np.array(owners, np.int64),
        photos,
        _vectors(reader, images, photos),
    )


def _vectors(reader: Reader, images: Sequence[Image], photos: Ids) -> Vectors:
    """Returns the vectors of photos; one of each, because copies have the same."""
    ids = np.array([image.image_id for image in images], np.int64)
    order = np.argsort(ids)
    vectors = np.zeros((photos.max(initial=-1) + 1, reader.dimension or 0), np.float32)
    for chunk, found in reader.all_vectors():
        vectors[photos[order[np.searchsorted(ids[order], chunk)]]] = found
    return vectors

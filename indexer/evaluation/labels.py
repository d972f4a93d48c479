"""Labelled photos, from a collection or from a feed."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from itertools import islice

import numpy as np

from indexer.arrays import Ids, Vectors, batched
from indexer.errors import ImageSearchError
from indexer.evaluation.tasks import PhotoSet
from indexer.feeds import FeedRow, Rejection, by_row
from indexer.store import Attributes, AttributeValue, Image, Reader

_BATCH = 500
_SHOWN = 20
_REASONS = 3
_ANY = "any"
_GROUP = "item_group_id"  # variants of one product, in the Google Merchant specification


class LabelsError(ImageSearchError):
    """There is nothing to measure with: labels or judgements are missing or malformed."""

    code = "bad_labels"


class NothingToMeasureError(LabelsError):
    """No query has a right product among the products searched."""


@dataclass(frozen=True)
class Labelled:
    """Photos of products with a label.

    Attributes:
        photos: of the products, in code point order of their ids.
        names: of the labels.
        labels: (products,), index of each product's label in `names`.
        families: (products,), equal numbers for variants of one product.
        image_ids: (photos,), of a collection; of a feed, the numbers of the photos.
        unlabelled: number of products without the label, which are left out.
        without_photos: number of products with the label and no photo, which are left out.
    """

    photos: PhotoSet
    names: list[str]
    labels: Ids
    families: Ids
    image_ids: Ids
    unlabelled: int
    without_photos: int = 0

    def keep(self, kept: Ids, content_hashes: Sequence[str] | None = None) -> "Labelled":
        """Returns some of the photos, and the products that have one of them.

        Args:
            kept: places of the photos.
            content_hashes: of all photos, if they were not known yet.
        """
        photos = self.photos
        if content_hashes is not None:
            photos = replace(photos, content_hashes=content_hashes)
        photos, products = photos.with_their_products(kept)
        return replace(
            self,
            photos=photos,
            labels=self.labels[products],
            families=self.families[products],
            image_ids=self.image_ids[kept],
        )

    @property
    def single(self) -> list[str]:
        """The labels that only one product has."""
        counts = np.bincount(self.labels, minlength=len(self.names))
        return [self.names[label] for label in np.flatnonzero(counts == 1).tolist()]


def labelled_collection(
    reader: Reader, label: str | None, locate: Callable[[Image], str]
) -> Labelled:
    """Returns the photos of a collection.

    Args:
        reader: of the collection.
        label: name of the attribute; None if labels are not needed.
        locate: returns where the file of a photo is.

    Raises:
        LabelsError: no product has the attribute, none of these has a photo, or all have the same
            value.
    """

    def products() -> Iterator[_Row]:
        for batch in batched(reader.product_ids(), _BATCH):
            found = reader.products(batch)
            for product_id in batch:
                of_product = found[product_id].images
                photos = [_Photo(locate(i), i.content_hash, i.image_id) for i in of_product]
                yield product_id, found[product_id].attributes, photos

    return _labelled(label, products())


def labelled_feed(
    rows: Iterable[FeedRow | Rejection], label: str | None
) -> tuple[Labelled, list[Rejection]]:
    """Returns the photos of a feed, whose content hashes are not known yet, and rejected rows.

    Args:
        rows: of the feed.
        label: name of the attribute; None if labels are not needed.

    Raises:
        LabelsError: all rows are rejected, no product has the label, or all have the same one.
    """
    good: list[FeedRow] = []
    rejected: list[Rejection] = []
    for row in rows:
        if isinstance(row, FeedRow):
            good.append(row)
        else:
            rejected.append(row)
    if rejected and not good:
        raise all_rejected(rejected)
    good.sort(key=lambda row: row.product_id)
    products = ((r.product_id, r.attributes, [_Photo(i.location) for i in r.images]) for r in good)
    labelled = _labelled(label, products)
    return replace(labelled, image_ids=np.arange(len(labelled.photos))), rejected


def all_rejected(rejected: Sequence[Rejection]) -> LabelsError:
    """Returns the error for a file of which no row can be used; it names the first reasons."""
    rows = by_row(rejected)
    reasons = _first_reasons(rows)
    return LabelsError(f"every row of {rows[0].source} was rejected ({len(rows):,}): {reasons}")


def with_rejected(error: LabelsError, rejected: Sequence[Rejection]) -> LabelsError:
    """Returns an error that also says which rows were rejected, as these may be the cause."""
    rows = by_row(rejected)
    return LabelsError(f"{error}; rejected rows: {len(rows):,} ({_first_reasons(rows)})")


def _first_reasons(rows: Iterable[Rejection]) -> str:
    first: dict[str, Rejection] = {}
    for row in rows:
        first.setdefault(row.cause or row.reason, row)
    return "; ".join(_told(row) for row in islice(first.values(), _REASONS))


def _told(row: Rejection) -> str:
    if row.line is not None:
        return f"line {row.line}: {row.reason}"
    return row.reason if row.product_id is None else f"product {row.product_id!r}: {row.reason}"


def vectors_of(reader: Reader, image_ids: Ids) -> Vectors:
    """Returns the stored vectors of images, in this order: (n, dimension)."""
    vectors = np.empty((len(image_ids), reader.dimension or 0), np.float32)
    order = np.argsort(image_ids)
    for ids, chunk in reader.all_vectors():
        first, end = np.searchsorted(image_ids, [ids[0], ids[-1] + 1], sorter=order)
        places = order[first:end]
        vectors[places] = chunk[np.searchsorted(ids, image_ids[places])]
    return vectors


def common(first: Labelled, second: Labelled) -> tuple[Ids, Ids]:
    """Returns the places of the photos that both have for the same product, in the same order."""
    places = {key: place for place, key in enumerate(_keys(second))}
    pairs = {key: (place, places[key]) for place, key in enumerate(_keys(first)) if key in places}
    both = np.array(list(pairs.values()), np.int64).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def _keys(labelled: Labelled) -> list[tuple[str, str]]:
    photos = labelled.photos
    owners = (photos.product_ids[owner] for owner in photos.owners.tolist())
    return list(zip(owners, photos.content_hashes, strict=True))


@dataclass(frozen=True)
class _Photo:
    location: str
    content_hash: str = ""
    image_id: int = 0


_Row = tuple[str, Attributes, list[_Photo]]


def _labelled(label: str | None, products: Iterable[_Row]) -> Labelled:
    ids: list[str] = []
    values: list[str] = []
    families: list[str] = []
    owners: list[int] = []
    photos: list[_Photo] = []
    others: Counter[str] = Counter()
    unlabelled = without_photos = 0
    for product_id, attributes, of_product in products:
        others.update(attributes.keys())
        value = _ANY if label is None else label_text(attributes.get(label, ""))
        if not value:
            unlabelled += 1
            continue
        if not of_product:
            without_photos += 1
            continue
        values.append(value)
        families.append(family_of(product_id, attributes))
        owners += [len(ids)] * len(of_product)
        ids.append(product_id)
        photos += of_product
    if not ids:
        raise LabelsError(_nothing(label, others, without_photos))
    names, labels = numbered_labels(values)
    if label is not None and len(names) == 1 < len(ids):
        raise LabelsError(
            f"all products have the same {label}, {names[0]!r}; nothing can be measured: choose"
            " another attribute with --label"
        )
    return Labelled(
        PhotoSet(
            ids,
            np.array(owners),
            [photo.location for photo in photos],
            [photo.content_hash for photo in photos],
            [None] * len(photos),
        ),
        names,
        labels,
        numbered(families),
        np.array([photo.image_id for photo in photos]),
        unlabelled,
        without_photos,
    )


def family_of(product_id: str, attributes: Attributes) -> str:
    """Returns a text that is equal for variants of one product."""
    group = str(attributes.get(_GROUP, "")).strip()
    return f"group {group}" if group else f"product {product_id}"


def numbered(keys: Sequence[str]) -> Ids:
    """Returns equal numbers for equal keys, counting from 0 in the order of first occurrence."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)


def numbered_labels(labels: Sequence[str]) -> tuple[list[str], Ids]:
    """Returns the different labels, and the index of each of n labels: (n,), -1 if it is empty.

    Labels that differ only in case are one, named by its most frequent spelling.
    """
    spellings: dict[str, Counter[str]] = {}
    keys = [label.casefold() for label in labels]
    for key, label in zip(keys, labels, strict=True):
        if label:
            spellings.setdefault(key, Counter())[label] += 1
    places = {key: place for place, key in enumerate(spellings)}
    names = [counted.most_common(1)[0][0] for counted in spellings.values()]
    return names, np.array([places.get(key, -1) for key in keys], np.int64)


def label_text(value: AttributeValue) -> str:
    """Returns a value as a label; of a list, which is stored as JSON, the first one."""
    if isinstance(value, str) and value.startswith("["):
        try:
            first = next(islice(json.loads(value), 1), "")
        except (ValueError, RecursionError):
            return value.strip()
        return str(first).strip()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _nothing(label: str | None, others: Counter[str], without_photos: int) -> str:
    if without_photos:
        having = "" if label is None else "with a label "
        return f"none of the {without_photos:,} products {having}has a photo; add photos"
    if label is None:
        return "there are no products"
    if not others:
        return (
            f"no product has a {label}: put the photos of each label into a subfolder with its"
            " name, or use a feed or a collection with attributes"
        )
    return no_attribute(label, others)


def no_attribute(label: str, known: Counter[str]) -> str:
    """Describes an attribute that no product has, with those that products have."""
    if close := get_close_matches(label.lower(), known, n=1):
        return f"no product has the attribute {label!r}; did you mean {close[0]}?"
    names = ", ".join(name for name, _ in known.most_common(_SHOWN)) or "none"
    return f"no product has the attribute {label!r}; choose one with --label: {names}"

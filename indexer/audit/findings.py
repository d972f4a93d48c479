"""The kinds of findings, and a finding. The values of `Kind` are stable; texts may change."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from indexer.store import AttributeValue, Image

_DIGITS = 4


class Kind(StrEnum):
    """What can be wrong, in the order of reports."""

    UNREADABLE_PHOTO = "unreadable_photo"
    CHANGED_PHOTO = "changed_photo"
    NO_PHOTO = "no_photo"
    SHARED_PHOTO = "shared_photo"
    NEAR_DUPLICATE = "near_duplicate"
    UNLIKE_LABEL = "unlike_label"
    BLANK_PHOTO = "blank_photo"
    SMALL_PHOTO = "small_photo"
    BLURRED_PHOTO = "blurred_photo"
    NEVER_FOUND = "never_found"
    FOUND_TOO_OFTEN = "found_too_often"


@dataclass(frozen=True)
class About:
    """What a kind means.

    Attributes:
        title: of a section.
        meaning: what a finding is.
        advice: what to do about it.
        score: what the score of a finding is.
    """

    title: str
    meaning: str
    advice: str
    score: str


ABOUT: Mapping[Kind, About] = {
    Kind.UNREADABLE_PHOTO: About(
        "Missing or unreadable photos",
        "The file of the photo cannot be read any more.",
        "Restore the file, or correct the link in the feed and run sync.",
        "photos at this location",
    ),
    Kind.CHANGED_PHOTO: About(
        "Changed photos",
        "The file is no longer the one that was indexed, so searches use an old picture.",
        "Run sync with the current feed.",
        "photos at this location",
    ),
    Kind.NO_PHOTO: About(
        "Products without a photo",
        "The product has no photo, so no search can find it.",
        "Add a photo to the feed.",
        "photos of the product",
    ),
    Kind.SHARED_PHOTO: About(
        "The same photo in several products",
        "Several products have the same file as a photo. Variants with the same item_group_id count"
        " as one product.",
        "Give each product its own photo; if they are one product, merge them or give them the same"
        " item_group_id.",
        "products with the photo",
    ),
    Kind.NEAR_DUPLICATE: About(
        "Nearly the same photo in several products",
        "Photos of different products that are copies of each other: saved again, resized, or"
        " slightly edited.",
        "Check whether the products are the same; if they are, merge them or give them the same"
        " item_group_id.",
        "highest cosine of two of the photos",
    ),
    Kind.UNLIKE_LABEL: About(
        "Photos unlike their label",
        "The photo looks like those with another label (such as a category), and unlike those with"
        " its own.",
        "Check the label of the product, and whether the photo belongs to it.",
        "how much closer the other label is: 1 is the difference between the nearest photos and"
        " random ones",
    ),
    Kind.BLANK_PHOTO: About(
        "Blank photos",
        "The photo shows nothing, or nearly nothing.",
        "Replace the photo.",
        "standard deviation of its colours, of 255",
    ),
    Kind.SMALL_PHOTO: About(
        "Small photos",
        "The photo has too few pixels for shops and for the model.",
        "Replace the photo by a larger one.",
        "shorter side in pixels",
    ),
    Kind.BLURRED_PHOTO: About(
        "Blurred photos",
        "The photo is out of focus, shaken, or enlarged from a small one.",
        "Replace the photo.",
        "blur from 0 to 1",
    ),
    Kind.NEVER_FOUND: About(
        "Products that no other product finds",
        "The product is not on the first page of similar products of any other product.",
        "The isolated ones come first: check whether their photos show the product well. Others"
        " have too many similar products: use filters, or diversify results.",
        "cosine to the most similar product",
    ),
    Kind.FOUND_TOO_OFTEN: About(
        "Products that are found too often",
        "The product is on the first page of similar products of far more products than average.",
        "Check whether the photo is blank, blurred or of several products; otherwise leave it.",
        "products that find it, as a multiple of the average",
    ),
}


@dataclass(frozen=True)
class Finding:
    """One fault.

    Attributes:
        kind: of the fault.
        score: see `About.score`.
        images: the photos concerned; empty for a product without one.
        detail: a sentence or less.
        similar: photos of other products to compare with, the most similar first.
        values: further facts for `--json`, by name.
        without_photo: the product, if it has no photo.
    """

    kind: Kind
    score: float
    images: Sequence[Image]
    detail: str
    similar: Sequence[Image] = ()
    values: Mapping[str, AttributeValue] = field(default_factory=dict)
    without_photo: str | None = None

    @property
    def products(self) -> list[str]:
        """The ids of the products concerned."""
        if self.without_photo is not None:
            return [self.without_photo]
        return list(dict.fromkeys(image.product_id for image in self.images))

    def document(self) -> dict[str, Any]:
        """Returns the finding for `--json`."""
        return {
            "kind": self.kind.value,
            "score": round(self.score, _DIGITS),
            "products": self.products,
            "images": list(map(_reference, self.images)),
            "detail": self.detail,
            "similar": list(map(_reference, self.similar)),
            **self.values,
        }


@dataclass(frozen=True)
class Audit:
    """The result of an audit.

    Attributes:
        seq: version of the collection.
        products: their number.
        images: their number.
        label: the attribute that photos were compared with; None if they were not.
        findings: by kind, the worst first; only the kinds that were looked for.
        photos_read: files that were read.
        photos_skipped: numbers of files that were not read, by reason.
        notes: what could not be checked, and why.
    """

    seq: int
    products: int
    images: int
    label: str | None
    findings: Mapping[Kind, Sequence[Finding]]
    photos_read: int
    photos_skipped: Mapping[str, int]
    notes: Sequence[str]

    def document(self) -> dict[str, Any]:
        """Returns the audit for `--json`."""
        return {
            "seq": self.seq,
            "products": self.products,
            "images": self.images,
            "label": self.label,
            "photos_read": self.photos_read,
            "photos_skipped": dict(self.photos_skipped),
            "notes": list(self.notes),
            "kinds": [
                {
                    "kind": kind.value,
                    "findings": len(found),
                    "products": products_of(found),
                    **asdict(ABOUT[kind]),
                }
                for kind, found in self.findings.items()
            ],
            "findings": [each.document() for found in self.findings.values() for each in found],
        }


def products_of(found: Sequence[Finding]) -> int:
    """Returns the number of products that findings are about."""
    return len({product_id for each in found for product_id in each.products})


def _reference(image: Image) -> dict[str, Any]:
    return {"product_id": image.product_id, "image_id": image.image_id, "uri": image.uri}

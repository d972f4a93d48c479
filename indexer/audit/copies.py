"""The same photo, or nearly the same, in several products.

Variants of one product (`item_group_id`) may share photos.
"""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from indexer.audit.contents import Contents
from indexer.audit.findings import Finding, Kind
from indexer.audit.nearest import Nearest

# Thresholds of near duplicates, measured in docs/decisions/audit.md. Perceptual hashes are compared
# if both files were read.
SIMILAR = 0.98  # cosine, if the hashes are close
MAX_BITS = 6  # of the 63 of a hash that may differ
SAME = 0.995  # cosine, if there are no hashes


def shared_photos(contents: Contents) -> list[Finding]:
    """Returns the photos that several products have, those of the most products first."""
    findings = []
    for photo in np.flatnonzero(contents.agreed(contents.families) < 0).tolist():
        images = contents.one_per_product([photo])
        labels = contents.labels[contents.owners_of(photo)]
        names = [contents.label_names[label] for label in np.unique(labels[labels >= 0])]
        detail = f"{len(images):,} products"
        if len(names) > 1:
            detail += f" with different values of {contents.label}: {', '.join(names)}"
        findings.append(Finding(Kind.SHARED_PHOTO, len(images), images, detail))
    return sorted(findings, key=lambda finding: -finding.score)


def near_duplicates(contents: Contents, found: Nearest, hashes: Mapping[int, int]) -> list[Finding]:
    """Returns groups of photos of several products that are nearly the same, the closest first.

    Every photo with a near duplicate among its nearest photos is in a group. The pairs of a group
    are linked: its first and last photo may differ more.

    Args:
        contents: of the collection.
        found: the nearest photos of every photo.
        hashes: perceptual hashes by photo, of those that were read.
    """
    groups = _Groups(len(contents.vectors))
    highest: dict[int, float] = {}
    for first, second, score in _pairs(contents, found, hashes):
        groups.join(first, second)
        for photo in (first, second):
            highest[photo] = max(score, highest.get(photo, -1.0))
    findings = []
    for photos in groups.of(highest):
        images = contents.one_per_product(photos)
        score = max(highest[photo] for photo in photos)
        detail = f"cosine {score:.3f}, {len(photos):,} photos of {len(images):,} products"
        findings.append(Finding(Kind.NEAR_DUPLICATE, score, images, detail))
    return sorted(findings, key=lambda finding: -finding.score)


def _pairs(
    contents: Contents, found: Nearest, hashes: Mapping[int, int]
) -> Iterator[tuple[int, int, float]]:
    families = contents.agreed(contents.families)
    photos, ranks = np.nonzero(found.scores >= SIMILAR)
    others = found.rows[photos, ranks]
    chosen = (families[photos] != families[others]) | (families[photos] < 0)
    chosen &= photos != others
    pairs = (each[chosen].tolist() for each in (photos, others, found.scores[photos, ranks]))
    for first, second, score in zip(*pairs, strict=True):
        if first in hashes and second in hashes:
            if (hashes[first] ^ hashes[second]).bit_count() <= MAX_BITS:
                yield first, second, score
        elif score >= SAME:
            yield first, second, score


class _Groups:
    """Disjoint sets of photos, joined by pairs."""

    def __init__(self, total: int) -> None:
        self._parents = np.arange(total)

    def join(self, first: int, second: int) -> None:
        """Joins the groups of two photos."""
        self._parents[self._root(first)] = self._root(second)

    def of(self, photos: Iterable[int]) -> list[list[int]]:
        """Returns the groups that some photos form, in order."""
        groups: dict[int, list[int]] = {}
        for photo in sorted(photos):
            groups.setdefault(self._root(photo), []).append(photo)
        return list(groups.values())

    def _root(self, photo: int) -> int:
        while (parent := int(self._parents[photo])) != photo:
            self._parents[photo] = self._parents[parent]
            photo = parent
        return photo

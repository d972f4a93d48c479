"""Photos that look like those of another label.

For every photo, the mean similarity to the nearest photos of its label is compared with that of the
other label whose photos are nearest, as in the trust score (H. Jiang, B. Kim, M. Guan and M. Gupta,
"To trust or not to trust a classifier", NeurIPS 2018), which divides distances.
docs/decisions/audit.md compares it with votes of the nearest photos and with confident learning.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexer.arrays import Ids, Scores
from indexer.audit.contents import Contents
from indexer.audit.findings import Finding, Kind
from indexer.audit.nearest import Nearest, nearest

NEAREST = 5  # photos of a label that count
MIN_DIFFERENCE = 0.4  # measured in docs/decisions/audit.md
_SPARE = 11  # further photos of the own label: those of the same product do not count
_PAIRS = 10_000  # random ones
_MIN_SCALE = 1e-6  # of a catalogue in which all photos are equally similar
_SIMILAR = 3  # photos shown with a finding
_CHUNK_CELLS = 2**22  # photos x labels at a time


@dataclass(frozen=True)
class _Differences:
    """How much closer the nearest other label is than the own.

    Attributes:
        photos: (m,) photos that can be judged.
        values: (m,) differences of cosines, as shares of `_scale`.
        nearest_labels: (m,) the nearest other label.
    """

    photos: Ids
    values: Scores
    nearest_labels: Ids


def unlike_label(contents: Contents, found: Nearest) -> list[Finding]:
    """Returns the photos with a difference above `MIN_DIFFERENCE`, the largest first.

    Labels of `NEAREST` or fewer photos are not judged.

    Args:
        contents: of the collection.
        found: the nearest photos of every photo.
    """
    labels = contents.agreed(contents.labels)
    differences = _differences(contents, found, labels)
    order = np.argsort(-differences.values, kind="stable")
    order = order[differences.values[order] > MIN_DIFFERENCE]
    return [_finding(contents, found, labels, differences, place) for place in order.tolist()]


def _scale(contents: Contents, found: Nearest) -> float:
    """Returns the range of similarities, which depends on the model.

    It is the median cosine of photos to their nearest, minus that of random pairs.
    """
    pairs = np.random.RandomState(0).randint(0, len(contents.vectors), (2, _PAIRS))
    first, second = contents.vectors[pairs[:, pairs[0] != pairs[1]]]
    random = np.median(np.einsum("nd,nd->n", first, second))
    return float(np.median(found.scores[:, 1]) - random)


def _differences(contents: Contents, found: Nearest, labels: Ids) -> _Differences:
    own = _own_similarity(contents, labels)
    photos = np.flatnonzero(np.isfinite(own))
    values, names = np.empty(len(photos)), np.empty(len(photos), np.int64)
    step = max(1, _CHUNK_CELLS // max(1, len(contents.label_names)))
    for start in range(0, len(photos), step):
        chunk = photos[start : start + step]
        similarity = _similarities(found, labels, chunk, len(contents.label_names))
        similarity[np.arange(len(chunk)), labels[chunk]] = -np.inf
        names[start : start + step] = similarity.argmax(axis=1)
        values[start : start + step] = similarity.max(axis=1) - own[chunk]
    is_seen = values > -np.inf
    scale = max(_scale(contents, found), _MIN_SCALE) if len(photos) else 1.0
    return _Differences(photos[is_seen], values[is_seen] / scale, names[is_seen])


def _own_similarity(contents: Contents, labels: Ids) -> Scores:
    """Returns the mean cosine of each photo to the nearest ones of its label in other products.

    NaN for photos without a label, and for those with too few others of their label to judge.
    """
    result = np.full(len(labels), np.nan)
    for label in range(len(contents.label_names)):
        photos = np.flatnonzero(labels == label)
        if len(photos) <= NEAREST:
            continue
        vectors = contents.vectors[photos]
        lists = nearest(vectors, vectors, NEAREST + _SPARE)
        for photo, rows, scores in zip(photos.tolist(), lists.rows, lists.scores, strict=True):
            others = scores[~_same_product(contents, photo, photos[rows])][:NEAREST]
            if len(others):
                result[photo] = others.mean(dtype=np.float64)
    return result


def _same_product(contents: Contents, photo: int, others: Ids) -> NDArray[np.bool_]:
    """Returns which of the photos belong to a product of a photo."""
    own = [contents.photos_of(product) for product in contents.owners_of(photo).tolist()]
    return np.isin(others, np.concatenate(own))


def _similarities(found: Nearest, labels: Ids, photos: Ids, total: int) -> NDArray[np.float64]:
    """Returns the mean cosine to the nearest photos of each label: (photos, labels).

    -inf for labels that are not among the nearest. If a label has fewer than `NEAREST` photos among
    them, the others count as if they were the last: none of them is nearer.
    """
    rows, scores = found.rows[photos], found.scores[photos].astype(np.float64)
    sums, counts = np.zeros((len(photos), total)), np.zeros((len(photos), total), np.int64)
    for rank in range(rows.shape[1]):
        label = labels[rows[:, rank]]
        at = np.flatnonzero(label >= 0)
        at = at[counts[at, label[at]] < NEAREST]
        sums[at, label[at]] += scores[at, rank]
        counts[at, label[at]] += 1
    sums += (NEAREST - counts) * scores[:, -1:]
    return np.where(counts > 0, sums / NEAREST, -np.inf)


def _finding(
    contents: Contents, found: Nearest, labels: Ids, differences: _Differences, place: int
) -> Finding:
    photo = int(differences.photos[place])
    nearest_label = int(differences.nearest_labels[place])
    rows = found.rows[photo]
    label, other = (contents.label_names[each] for each in (int(labels[photo]), nearest_label))
    return Finding(
        Kind.UNLIKE_LABEL,
        float(differences.values[place]),
        contents.one_per_product([photo]),
        f"{contents.label} {label}; looks like {other}",
        [
            contents.image_of(each)
            for each in rows[labels[rows] == nearest_label][:_SIMILAR].tolist()
        ],
        {"label": label, "looks_like": other},
    )

"""Looks for faults of a collection's photos."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager

import numpy as np

from indexer.audit.contents import DEFAULT_LABEL, Contents, read_contents
from indexer.audit.copies import near_duplicates, shared_photos
from indexer.audit.files import Files, PhotoFiles, badly_taken, read_files
from indexer.audit.findings import Audit, Finding, Kind
from indexer.audit.labels import unlike_label
from indexer.audit.nearest import Nearest, nearest
from indexer.audit.reachability import Pages, found_too_often, never_found
from indexer.store import Records

# Opens a stage of the work, given its name and the number of its steps; yields a function that
# takes a number of steps done.
Stage = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]

# Kinds that are found by reading the files of photos.
OF_FILES = frozenset(
    {
        Kind.UNREADABLE_PHOTO,
        Kind.CHANGED_PHOTO,
        Kind.BLANK_PHOTO,
        Kind.SMALL_PHOTO,
        Kind.BLURRED_PHOTO,
    }
)
_OF_PAGES = frozenset({Kind.NEVER_FOUND, Kind.FOUND_TOO_OFTEN})
_OF_NEIGHBOURS = _OF_PAGES | {Kind.NEAR_DUPLICATE, Kind.UNLIKE_LABEL}
_NEIGHBOURS = 64  # photos in the list of each photo


def audit(
    records: Records,
    kinds: Collection[Kind],
    stage: Stage,
    *,
    label: str | None = None,
    files: PhotoFiles | None = None,
) -> Audit:
    """Looks for faults.

    Args:
        records: of the collection.
        kinds: to look for; those in `OF_FILES` require `files`.
        stage: shows progress.
        label: attribute to compare photos with; None for `DEFAULT_LABEL`, if any product has it.
        files: without them, near duplicates are found by their vectors only.

    Raises:
        LabelsError: there are no products, or none has the attribute `label`.
    """
    with records.reader() as reader:
        contents = read_contents(reader, label)
    read = Files(0, {}, {}, {})
    if files and OF_FILES.union({Kind.NEAR_DUPLICATE}).intersection(kinds):
        with stage("reading photos", len(contents.images)) as advance:
            read = read_files(contents, files, advance)
    findings = {
        Kind.NO_PHOTO: _without_photo(contents),
        Kind.SHARED_PHOTO: shared_photos(contents),
        **read.findings,
        **badly_taken(contents, read.looks),
        **_of_neighbours(contents, kinds, read, stage),
    }
    return Audit(
        contents.seq,
        len(contents.product_ids),
        len(contents.images),
        contents.label,
        {kind: findings[kind] for kind in Kind if kind in kinds},
        read.read,
        read.skipped,
        list(_notes(contents, kinds)),
    )


def _without_photo(contents: Contents) -> list[Finding]:
    with_photo = set(contents.owners.tolist())
    return [
        Finding(Kind.NO_PHOTO, 0, [], "no photo", without_photo=product_id)
        for product, product_id in enumerate(contents.product_ids)
        if product not in with_photo
    ]


def _of_neighbours(
    contents: Contents, kinds: Collection[Kind], read: Files, stage: Stage
) -> Mapping[Kind, Sequence[Finding]]:
    """Returns the findings that are made by comparing all photos."""
    if not _OF_NEIGHBOURS.intersection(kinds):
        return {}
    with stage("comparing photos", len(contents.vectors)) as advance:
        found = nearest(contents.vectors, contents.vectors, _NEIGHBOURS, advance)
    findings: dict[Kind, Sequence[Finding]] = {}
    if Kind.NEAR_DUPLICATE in kinds:
        hashes = {photo: look.hash for photo, look in read.looks.items()}
        findings[Kind.NEAR_DUPLICATE] = near_duplicates(contents, found, hashes)
    if Kind.UNLIKE_LABEL in kinds:
        findings[Kind.UNLIKE_LABEL] = unlike_label(contents, found)
    if _OF_PAGES.intersection(kinds):
        pages = _pages(contents, found, stage)
        findings[Kind.NEVER_FOUND] = never_found(contents, pages)
        findings[Kind.FOUND_TOO_OFTEN] = found_too_often(contents, pages)
    return findings


def _pages(contents: Contents, found: Nearest, stage: Stage) -> Pages:
    with stage("ranking products", len(contents.product_ids)) as advance:
        return Pages.of(contents, found, advance)


def _notes(contents: Contents, kinds: Collection[Kind]) -> Iterator[str]:
    if Kind.UNLIKE_LABEL not in kinds:
        return
    unlabelled = int(np.count_nonzero(contents.labels < 0))
    if contents.label is None:
        yield (
            f"{Kind.UNLIKE_LABEL.value}: not checked, because no product has the attribute"
            f" {DEFAULT_LABEL}; name another one with --label"
        )
    elif unlabelled:
        yield (
            f"{Kind.UNLIKE_LABEL.value}: products not checked, because they have no"
            f" {contents.label}: {unlabelled:,}"
        )

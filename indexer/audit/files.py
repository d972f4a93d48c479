"""Reads the files of photos: those that are gone or changed, and how the others look."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256

from indexer.arrays import batched
from indexer.audit.contents import Contents
from indexer.audit.findings import Finding, Kind
from indexer.audit.quality import MAX_BLUR, MIN_CONTRAST, MIN_SIDE, Look, look
from indexer.errors import HostError, ImageError
from indexer.fetch import PhotoSource, host_of
from indexer.store import Image

_READERS = 8
_BATCH = 64  # files in work
_DIGITS = 64  # of a content hash; imported vectors without a file have another one
IMPORTED = "imported without a file"


@dataclass(frozen=True)
class PhotoFiles:
    """Where the files of photos are.

    Attributes:
        source: reads them.
        locate: returns the path or URL of an image.
    """

    source: PhotoSource
    locate: Callable[[Image], str]


@dataclass(frozen=True)
class Files:
    """The files of a collection's photos.

    Attributes:
        read: their number.
        skipped: numbers of those that were not read, by reason.
        looks: of the readable and unchanged photos, by photo.
        findings: unreadable and changed files.
    """

    read: int
    skipped: Mapping[str, int]
    looks: Mapping[int, Look]
    findings: Mapping[Kind, Sequence[Finding]]


@dataclass(frozen=True)
class _Skipped:
    reason: str


def read_files(contents: Contents, files: PhotoFiles, advance: Callable[[int], None]) -> Files:
    """Reads every file once, although several images may have it.

    Args:
        contents: of the collection.
        files: where they are.
        advance: called with a number of files that are done.
    """
    skipped: Counter[str] = Counter()
    looks: dict[int, Look] = {}
    findings: dict[Kind, list[Finding]] = {Kind.UNREADABLE_PHOTO: [], Kind.CHANGED_PHOTO: []}
    places = _places(contents, files.locate)
    with _readers(files.source) as readers:
        for batch in batched(places.items(), _BATCH):
            asked = [(key, contents.images[images[0]].content_hash) for key, images in batch]
            found = readers.map(lambda each: _read(files.source, each[0][0], each[1]), asked)
            for ((location, photo), images), result in zip(batch, found, strict=True):
                if isinstance(result, Look):
                    looks[photo] = result
                elif isinstance(result, _Skipped):
                    skipped[result.reason] += 1
                else:
                    concerned = [contents.images[image] for image in images]
                    finding = _finding(result, location, concerned)
                    findings[finding.kind].append(finding)
            advance(len(batch))
    read = len(places) - skipped.total()
    by_number = {kind: sorted(each, key=lambda f: -f.score) for kind, each in findings.items()}
    return Files(read, skipped, looks, by_number)


def badly_taken(contents: Contents, looks: Mapping[int, Look]) -> dict[Kind, list[Finding]]:
    """Returns the photos that are blank, small or blurred, the worst first."""
    blank, small, blurred = [], [], []
    for photo, seen in looks.items():
        images = contents.one_per_product([photo])
        if seen.contrast < MIN_CONTRAST:
            detail = f"contrast {seen.contrast:.1f}"
            blank.append(Finding(Kind.BLANK_PHOTO, seen.contrast, images, detail))
        elif seen.blur > MAX_BLUR:
            detail = f"blur {seen.blur:.2f}"
            blurred.append(Finding(Kind.BLURRED_PHOTO, seen.blur, images, detail))
        if seen.side < MIN_SIDE:
            detail = f"shorter side {seen.side} pixels"
            small.append(Finding(Kind.SMALL_PHOTO, seen.side, images, detail))
    return {
        Kind.BLANK_PHOTO: sorted(blank, key=lambda finding: finding.score),
        Kind.SMALL_PHOTO: sorted(small, key=lambda finding: finding.score),
        Kind.BLURRED_PHOTO: sorted(blurred, key=lambda finding: -finding.score),
    }


def _places(contents: Contents, locate: Callable[[Image], str]) -> dict[tuple[str, int], list[int]]:
    """Returns the images by location and photo: those of a shared file are read once."""
    places: dict[tuple[str, int], list[int]] = {}
    for number, (image, photo) in enumerate(
        zip(contents.images, contents.photos.tolist(), strict=True)
    ):
        places.setdefault((locate(image), photo), []).append(number)
    return places


@contextmanager
def _readers(source: PhotoSource) -> Iterator[Executor]:
    """Threads to read with. What ends the run ends their downloads."""
    pool = ThreadPoolExecutor(_READERS)
    try:
        yield pool
    except BaseException:
        source.close()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _read(
    source: PhotoSource, location: str, content_hash: str
) -> Look | ImageError | _Skipped | None:
    """Returns how a photo looks, the error, why it was not read, or None if it is another one."""
    if len(content_hash) != _DIGITS:
        return _Skipped(IMPORTED)
    try:
        data = source.read(location)
        if sha256(data).hexdigest() != content_hash:
            return None
        return look(data, source.limits)
    except HostError as error:
        return _Skipped(f"{host_of(location)}: {error}")
    except ImageError as error:
        return error


def _finding(error: ImageError | None, location: str, images: Sequence[Image]) -> Finding:
    if error is None:
        return Finding(Kind.CHANGED_PHOTO, len(images), images, f"{location}: changed")
    return Finding(Kind.UNREADABLE_PHOTO, len(images), images, f"{location}: {error}")
